-- What `wrk` sends: one MNIST image as TensorFlow Serving's REST API has it. BODY names the file.
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = file:read("*a")
file:close()

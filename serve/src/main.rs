//! `inkstone-serve`: models over HTTP.
#![forbid(unsafe_code)]

mod access;
mod arguments;
mod fault;
mod http;
mod logs;
mod metrics;
mod models;
mod pictures;
mod queue;
mod server;
mod state;
mod tensor;
mod tls;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inkstone-serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: arguments::Arguments) -> Result<(), fault::Start> {
    if let Some(arguments::Command::Key(key)) = &arguments.command {
        return access::print_new_key(key);
    }
    logs::start(&arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(fault::Start::Runtime)?;
    runtime.block_on(server::run(arguments))
}

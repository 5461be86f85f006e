//! `inkstone-serve`: models over HTTP.
#![forbid(unsafe_code)]

mod access;
mod arguments;
mod fault;
mod health;
mod http;
mod logs;
mod metrics;
mod models;
mod patience;
mod pictures;
mod protect;
mod queue;
mod server;
mod state;
mod tensor;
mod tls;

use arguments::Command;
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
    match &arguments.command {
        Some(Command::Key(key)) => return access::print_new_key(key),
        Some(Command::Sign(sign)) => return protect::sign(sign),
        Some(Command::Licence(licence)) => return protect::licence(licence),
        Some(Command::Health(health)) => return health::check(health.address),
        None => {}
    }
    logs::start(&arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(fault::Start::Runtime)?;
    runtime.block_on(server::run(arguments))
}

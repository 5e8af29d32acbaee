//! The program `crs`.

use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long the threads that may block have to end.
const LAST_THREADS_WITHIN: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .expect("nothing has chosen a provider before main");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the operating system gives threads and a poller");
    let code = runtime.block_on(relay::cli::run(std::env::args_os()));
    // A look-up of a name may be under way on a thread of its own; nobody waits for it any more.
    runtime.shutdown_timeout(LAST_THREADS_WITHIN);
    code
}

//! nginx in front of the provider.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{fs, thread};

use anyhow::ensure;

use super::{READY_WITHIN, TRY_EVERY};
use crate::process::Process;

/// Starts nginx; its worker is what is measured.
pub(super) fn start(
    nginx: &Path,
    folder: &Path,
    provider: SocketAddr,
) -> anyhow::Result<(Process, u32, SocketAddr)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration(folder, address, provider))?;
    let mut command = Command::new(nginx);
    command.arg("-p").arg(folder).arg("-c").arg(&file);
    let process = Process::start(&mut command, Stdio::null())?;
    let until = Instant::now() + READY_WITHIN;
    // It listens before it has a worker.
    let worker = loop {
        if TcpStream::connect(address).is_ok()
            && let Ok(worker) = process.first_child()
        {
            break worker;
        }
        ensure!(Instant::now() < until, "nginx does not listen");
        thread::sleep(TRY_EVERY);
    };
    Ok((process, worker, address))
}

fn configuration(folder: &Path, address: SocketAddr, provider: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        r#"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_max_body_size 64m; client_body_buffer_size 1m; keepalive_requests 1000000;
    upstream provider {{ server {provider}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://provider; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
}}
"#
    )
}

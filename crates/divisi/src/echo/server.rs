//! An ordinary HTTP/1 server on hyper: an engine that is not ours, so that the proxy is tried against a stranger.

use std::io;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::Answer;

/// How long to rest when the machine gives no connection: most often it is out of descriptors, and that passes.
const REST: Duration = Duration::from_millis(50);

/// Serves until `stop`; then takes no more connections, closes idle ones, and finishes what was begun.
pub(crate) async fn serve(listener: TcpListener, answer: Answer, stop: impl Future<Output = ()>) {
    let open = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => take(accepted.map(|(stream, _)| stream), &answer, &open).await,
        }
    }
    // Before waiting: whoever connects from now on is refused and not left in a queue.
    drop(listener);
    open.shutdown().await;
}

async fn take(accepted: io::Result<TcpStream>, answer: &Answer, open: &GracefulShutdown) {
    match accepted {
        Ok(stream) => {
            let _ = stream.set_nodelay(true);
            let answer = answer.clone();
            let service = service_fn(move |request| answer.clone().to(request));
            let connection = Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            let watched = open.watch(connection);
            tokio::spawn(async move {
                if let Err(problem) = watched.await {
                    debug!("connection: {problem}");
                }
            });
        }
        Err(problem) => {
            warn!("no connection: {problem}");
            tokio::time::sleep(REST).await;
        }
    }
}

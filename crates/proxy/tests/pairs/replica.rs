//! A replica that speaks any of the four kinds, made of hyper: each request comes to the test, which answers it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use divisi_model::speech::Scheme;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::client::{Body, Wire, whole};
use crate::seal::{self, Authority};
use crate::stage::Pair;

/// One request that has come to a replica. Dropping it breaks the exchange off.
pub(crate) struct Call {
    pub(crate) request: Request<Incoming>,
    answer: oneshot::Sender<Response<Body>>,
}

impl Call {
    /// Answers it.
    pub(crate) fn answer(self, response: Response<Body>) {
        // Whoever asked may have gone.
        drop(self.answer.send(response));
    }

    /// Answers it with that body.
    pub(crate) fn say(self, body: Body) {
        self.answer(Response::new(body));
    }

    /// Takes it apart.
    pub(crate) fn open(self) -> (Request<Incoming>, Answering) {
        (self.request, Answering(self.answer))
    }
}

/// The duty to answer a request whose body is being read elsewhere.
pub(crate) struct Answering(oneshot::Sender<Response<Body>>);

impl Answering {
    pub(crate) fn say(self, body: Body) {
        self.give(Response::new(body));
    }

    pub(crate) fn give(self, response: Response<Body>) {
        drop(self.0.send(response));
    }

    /// Waits until nobody wants the answer any more.
    pub(crate) async fn unwanted(&mut self) {
        self.0.closed().await;
    }
}

/// A replica. Dropping it ends it and its connections.
pub(crate) struct Replica {
    addr: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
    accepted: Arc<AtomicUsize>,
    generation: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl Replica {
    /// One for that pair.
    pub(crate) async fn start(pair: Pair) -> Self {
        Self::signed_by(pair, seal::authority()).await
    }

    /// One whose certificate that authority has signed.
    pub(crate) async fn signed_by(pair: Pair, authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let (sender, calls) = mpsc::unbounded_channel();
        let (generation, generations) = watch::channel(0);
        let accepted = Arc::new(AtomicUsize::new(0));
        let config = tls(pair, authority);
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut stopped = generations.clone();
                stopped.mark_unchanged();
                connections.spawn(serve(pair, tcp, config.clone(), sender.clone(), stopped));
            }
        });
        Self { addr, calls, accepted, generation, task }
    }

    /// One that answers every request with that text, once its body has come.
    pub(crate) async fn saying(pair: Pair, text: &'static str) -> Server {
        Self::serving(pair, move |call| {
            let (request, answer) = call.open();
            tokio::spawn(async move {
                if http_body_util::BodyExt::collect(request.into_body()).await.is_ok() {
                    answer.say(whole(text));
                }
            });
        })
        .await
    }

    /// One whose requests are answered by `serve`.
    pub(crate) async fn serving(pair: Pair, serve: impl Fn(Call) + Send + 'static) -> Server {
        let mut replica = Self::start(pair).await;
        let (_, none) = mpsc::unbounded_channel();
        let mut calls = std::mem::replace(&mut replica.calls, none);
        let count = Arc::new(AtomicUsize::new(0));
        let served = Arc::clone(&count);
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                served.fetch_add(1, Ordering::Relaxed);
                serve(call);
            }
        });
        Server { replica, count }
    }

    /// The next request.
    pub(crate) async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(crate::stage::PATIENCE, self.calls.recv()).await;
        call.expect("a request comes").expect("the replica runs")
    }

    /// Whether no request has come that the test has not seen.
    pub(crate) fn is_left_alone(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends the connections that it has as a well-behaved server does: what was begun is answered, and HTTP/2 says GOAWAY.
    pub(crate) fn stop(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A replica that answers by itself.
pub(crate) struct Server {
    pub(crate) replica: Replica,
    count: Arc<AtomicUsize>,
}

impl Server {
    /// Requests so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// What TLS a replica of that pair needs; None where there is none.
pub(crate) fn tls(pair: Pair, authority: &Authority) -> Option<Arc<ServerConfig>> {
    let protocol: &[u8] = if pair.replica == Scheme::H2 { b"h2" } else { b"http/1.1" };
    pair.replica.is_secure().then(|| seal::server_config(authority, protocol))
}

/// A connection of a client, inside TLS where that is spoken.
pub(crate) async fn accept(tcp: TcpStream, config: Option<Arc<ServerConfig>>) -> io::Result<Box<dyn Wire>> {
    tcp.set_nodelay(true)?;
    match config {
        Some(config) => Ok(Box::new(TlsAcceptor::from(config).accept(tcp).await?)),
        None => Ok(Box::new(tcp)),
    }
}

async fn serve(
    pair: Pair,
    tcp: TcpStream,
    config: Option<Arc<ServerConfig>>,
    calls: mpsc::UnboundedSender<Call>,
    mut stopped: watch::Receiver<usize>,
) {
    let Ok(wire) = accept(tcp, config).await else { return };
    let io = TokioIo::new(wire);
    let service = service_fn(|request| {
        let (answer, answered) = oneshot::channel();
        let asked = calls.send(Call { request, answer });
        async move {
            asked.map_err(|_| "the test is over")?;
            answered.await.map_err(|_| "broken off")
        }
    });
    // Errors are what many of these tests are about; the client's side is where they are looked at.
    if pair.is_http2_upstream() {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.enable_connect_protocol().initial_stream_window_size(256 * 1024);
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
        }
        drop(connection.await);
    } else {
        let mut connection = pin!(http1::Builder::new().serve_connection(io, service).with_upgrades());
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
        }
        drop(connection.await);
    }
}

/// A replica whose connections are served by the test, byte by byte or frame by frame. Dropping it ends it and them.
pub(crate) struct Strange {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Strange {
    /// One for that pair.
    pub(crate) async fn start<F>(pair: Pair, serve: impl Fn(Box<dyn Wire>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let config = tls(pair, seal::authority());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                if let Ok(wire) = accept(tcp, config.clone()).await {
                    connections.spawn(serve(wire));
                }
            }
        });
        Self { addr, task }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Strange {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! The loop over real sockets, without any engine: replicas that refuse, hang, fail and recover.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use divisi_model::spec::{Check, EjectionRules, Question};
use divisi_model::speech::{ProxyHeader, Scheme};
use divisi_model::{
    Card, Failure, Health, Moment, Published, Readiness, Service, Snapshot, Spec, Speech, Tried, Wanted,
};
use divisi_testkit::replica::{Replica, ok};
use divisi_testkit::wait::{PATIENCE, until};
use divisi_tls::Vault;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

const SHORT: Duration = Duration::from_millis(50);

/// Three replicas, of which the first is the one that this is about; the others are there so that it need not be used.
struct House {
    published: Arc<Published>,
    end: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    _others: [Replica; 2],
}

impl House {
    fn with(addr: SocketAddr, check: Check) -> Self {
        Self::speaking(Speech::default(), addr, check)
    }

    fn speaking(speech: Speech, addr: SocketAddr, check: Check) -> Self {
        let speech = Arc::new(speech);
        let ejection = EjectionRules { time: SHORT, most: Duration::from_secs(60), ..EjectionRules::default() };
        let check = Check { timeout: 4 * SHORT, interval: SHORT, ..check };
        let service = Service::new("web", Spec { check, ejection, ..Spec::default() });
        let others = [Replica::named("second"), Replica::named("third")];
        let addrs = [addr, others[0].addr(), others[1].addr()];
        let replica = |(number, addr)| {
            let speech = if number == 1 { Arc::clone(&speech) } else { Arc::default() };
            let card = Card { speech, ..Card::new(format!("web-{number}"), number) };
            service.replica(card, addr, Readiness::Ready)
        };
        let replicas = (1..).zip(addrs).map(replica).collect();
        let published = Published::new(Snapshot::of(Arc::new(service.with_replicas(replicas, 3))));
        let end = Arc::new(Notify::new());
        let (for_thread, ends) = (Arc::clone(&published), Arc::clone(&end));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
            runtime.block_on(async {
                tokio::select! {
                    () = divisi_health::run(for_thread, Vault::new().expect("random numbers")) => {}
                    () = ends.notified() => {}
                }
            });
        });
        Self { published, end, thread: Some(thread), _others: others }
    }

    fn service(&self) -> Service {
        (**self.published.load().route().expect("routed")).clone()
    }

    fn health(&self) -> Health {
        self.service().ready()[0].health()
    }

    /// Requests fail at the first replica until it is out, as the request's way would report it.
    fn fail(&self, failure: Failure) {
        let service = self.service();
        let lease = service.pick(&Tried::NONE, Wanted::Number(1), Moment::now()).expect("usable");
        assert_eq!(lease.replica().number(), 1);
        let is_out = (0..5).any(|_| lease.failed(failure, Moment::now()));
        assert!(is_out);
        self.published.alarm().raise(lease.replica());
    }

    fn until(&self, health: Health) {
        until(&format!("it is {health:?}"), || self.health() == health);
    }

    /// That it stays what it is for some questions.
    fn stays(&self, health: Health) {
        thread::sleep(6 * SHORT);
        assert_eq!(self.health(), health);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.end.notify_one();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the loop has panicked");
        }
    }
}

/// A port on which nobody listens, until somebody does.
fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
    let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket()).expect("its address");
    (socket, addr)
}

/// A replica that answers everything with the status of the moment.
fn moody(status: &Arc<AtomicU16>) -> Replica {
    let status = Arc::clone(status);
    Replica::answering(move |_| {
        let status = status.load(Ordering::SeqCst);
        format!("HTTP/1.1 {status} Because\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n").into_bytes()
    })
}

#[test]
fn one_that_refuses_is_down_until_it_accepts() {
    let (socket, addr) = deaf();
    let house = House::with(addr, Check::default());
    house.fail(Failure::Refused);
    house.until(Health::Down);
    house.stays(Health::Down);
    let began = Moment::now();
    socket.listen(8).expect("it listens");
    house.until(Health::Up);
    assert!(Moment::now().since(began) < Duration::from_secs(1), "it is seen soon");
}

#[test]
fn one_that_accepts_and_hangs_stays_out_until_it_answers() {
    let goes_on = Arc::new(AtomicBool::new(false));
    let may = Arc::clone(&goes_on);
    let hanging = Replica::start(move |conn| {
        while !may.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(2));
        }
        while conn.request()?.is_some() {
            conn.send(ok(""))?;
        }
        Ok(())
    });
    let house = House::with(hanging.addr(), Check::default());
    house.fail(Failure::Other);
    house.stays(Health::Ejected);
    until("it is asked twice", || hanging.accepted() >= 2);
    assert_eq!(house.health(), Health::Ejected);
    goes_on.store(true, Ordering::SeqCst);
    house.until(Health::Up);
}

#[test]
fn one_that_is_frozen_stays_out_although_the_kernel_accepts_for_it() {
    let (socket, addr) = deaf();
    socket.listen(8).expect("it listens and does no more");
    let house = House::with(addr, Check::default());
    house.fail(Failure::Other);
    house.stays(Health::Ejected);
}

#[test]
fn one_that_answers_everything_with_500_stays_out_until_it_does_not() {
    let status = Arc::new(AtomicU16::new(500));
    let replica = moody(&status);
    let house = House::with(replica.addr(), Check::default());
    house.fail(Failure::Other);
    until("it is asked twice", || replica.requests().len() >= 2);
    house.stays(Health::Ejected);
    status.store(501, Ordering::SeqCst);
    house.until(Health::Up);
    let head = replica.requests()[0].head.clone();
    let expected = format!(
        "OPTIONS * HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nuser-agent: divisi/health\r\naccept: */*",
        replica.addr()
    );
    assert_eq!(String::from_utf8_lossy(head.bytes()), expected);
}

#[test]
fn what_is_no_http_is_no_answer() {
    let replica = Replica::start(|conn| conn.send(b"220 mail.example.org ESMTP\r\n").map(drop)).lenient();
    let house = House::with(replica.addr(), Check::default());
    house.fail(Failure::Other);
    until("it is asked twice", || replica.accepted() >= 2);
    house.stays(Health::Ejected);
}

/// A replica that speaks HTTP/2, in TLS or not, and answers everything with the status of the moment.
fn of_http2(status: &Arc<AtomicU16>, tls: Option<tokio_rustls::TlsAcceptor>) -> SocketAddr {
    async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, status: &AtomicU16) -> Result<(), h2::Error> {
        let mut connection = h2::server::handshake(stream).await?;
        while let Some(asked) = connection.accept().await {
            let (request, mut respond) = asked?;
            assert!(matches!(request.uri().path(), "/up" | "/"), "{}", request.uri());
            let mut response = divisi_ask::hyper::Response::new(());
            *response.status_mut() = status.load(Ordering::SeqCst).try_into().expect("a status");
            let _: Result<_, h2::Error> = respond.send_response(response, true);
        }
        Ok(())
    }
    let (status, (tell, told)) = (Arc::clone(status), mpsc::channel());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an event loop");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
            tell.send(listener.local_addr().expect("its address")).expect("somebody waits");
            while let Ok((stream, _)) = listener.accept().await {
                let _: Result<(), h2::Error> = match &tls {
                    None => serve(stream, &status).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, &status).await,
                        Err(_) => Ok(()),
                    },
                };
            }
        });
    });
    told.recv().expect("it listens")
}

fn self_signed() -> tokio_rustls::TlsAcceptor {
    use divisi_tls::rustls::ServerConfig;
    use divisi_tls::rustls::pki_types::PrivateKeyDer;

    let made = rcgen::generate_simple_self_signed(["web.test".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let mut config = config.expect("both belong together");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config).into()
}

#[test]
fn one_that_speaks_http2_is_asked_in_it_inside_tls_and_without() {
    for (scheme, tls) in [(Scheme::H2c, None), (Scheme::H2, Some(self_signed()))] {
        let status = Arc::new(AtomicU16::new(503));
        let addr = of_http2(&status, tls);
        let check = Check { question: Question::Http("/up".into()), up: 1, down: 1, ..Check::default() };
        let house = House::speaking(Speech { scheme, ..Speech::default() }, addr, check);
        house.stays(Health::Down);
        status.store(204, Ordering::SeqCst);
        house.until(Health::Up);
        status.store(500, Ordering::SeqCst);
        house.until(Health::Down);
    }
}

#[test]
fn one_that_speaks_http2_and_was_taken_out_comes_back_when_it_answers() {
    let addr = of_http2(&Arc::new(AtomicU16::new(404)), None);
    let house = House::speaking(Speech { scheme: Scheme::H2c, ..Speech::default() }, addr, Check::default());
    house.fail(Failure::Other);
    house.until(Health::Up);
}

#[test]
fn one_whose_certificate_is_not_what_was_wanted_is_not_well() {
    let status = Arc::new(AtomicU16::new(200));
    let addr = of_http2(&status, Some(self_signed()));
    let check = Check { question: Question::Http("/up".into()), ..Check::default() };
    let speech = Speech { scheme: Scheme::H2, server_name: Some("web.test".into()), ..Speech::default() };
    House::speaking(speech, addr, check).stays(Health::Down);
}

#[test]
fn one_that_wants_to_know_the_client_first_is_told_that_it_is_divisi() {
    let begins: [(ProxyHeader, &[u8]); 2] =
        [(ProxyHeader::V1, b"PROXY UNKNOWN\r\nGET /up "), (ProxyHeader::V2, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /up ")];
    for (header, begin) in begins {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let addr = listener.local_addr().expect("its address");
        let reader = thread::spawn(move || {
            let mut bytes = vec![0; begin.len()];
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.read_exact(&mut bytes).expect("the begin of a question");
            bytes
        });
        let check = Check { question: Question::Http("/up".into()), ..Check::default() };
        let speech = Speech { proxy_header: Some(header), ..Speech::default() };
        let _house = House::speaking(speech, addr, check);
        assert_eq!(reader.join().expect("it was read"), begin, "{header:?}");
    }
}

#[test]
fn one_whose_process_has_ended_is_down() {
    let (_socket, addr) = deaf();
    let house = House::with(addr, Check::default());
    house.fail(Failure::Other);
    house.until(Health::Down);
}

#[test]
fn a_check_takes_it_out_and_back() {
    let status = Arc::new(AtomicU16::new(503));
    let replica = moody(&status);
    let check = Check { question: Question::Http("/up?full=1".into()), up: 2, down: 3, ..Check::default() };
    let house = House::with(replica.addr(), check);
    assert_eq!(house.health(), Health::Down, "nothing is known yet");
    until("it is asked", || replica.requests().len() >= 2);
    assert_eq!(house.health(), Health::Down);
    // A redirect is an answer as good as any; nobody goes where it leads.
    status.store(302, Ordering::SeqCst);
    house.until(Health::Up);
    let before = replica.forget().requests;
    assert!(before.iter().all(|request| request.head.bytes().starts_with(b"GET /up?full=1 HTTP/1.1\r\n")));
    status.store(404, Ordering::SeqCst);
    house.until(Health::Down);
    assert!(replica.requests().len() >= 3, "once is not enough");
    status.store(204, Ordering::SeqCst);
    house.until(Health::Up);
}

#[test]
fn a_check_by_connection_takes_it_out_and_back() {
    let (socket, addr) = deaf();
    let house = House::with(addr, Check { question: Question::Tcp, ..Check::default() });
    house.stays(Health::Down);
    socket.listen(8).expect("it listens");
    house.until(Health::Up);
    drop(socket);
    house.until(Health::Down);
    let _again = Replica::start_at(addr, |conn| conn.request().map(drop));
    house.until(Health::Up);
}

#[test]
fn a_label_switches_checks_on_and_off() {
    let status = Arc::new(AtomicU16::new(404));
    let replica = moody(&status);
    let check = Check { question: Question::Http("/".into()), ..Check::default() };
    let house = House::with(replica.addr(), check.clone());
    until("it is asked", || !replica.requests().is_empty());
    assert_eq!(house.health(), Health::Down);
    let publish = |check| {
        let spec = Spec { check, ..Spec::default() };
        house.published.publish(Snapshot::of(Arc::new(house.service().with_spec(spec))));
    };
    publish(Check::default());
    house.until(Health::Up);
    replica.forget();
    house.stays(Health::Up);
    assert!(replica.requests().is_empty(), "nobody asks any more");
    publish(Check { interval: SHORT, ..check });
    house.until(Health::Down);
}

#[test]
fn a_slow_answer_is_none() {
    let replica = Replica::start(|conn| {
        while conn.request()?.is_some() {
            conn.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
            thread::sleep(PATIENCE / 10);
            conn.send(b"yes\r\nContent-Length: 0\r\n\r\n")?;
        }
        Ok(())
    });
    let house = House::with(replica.addr(), Check { question: Question::Http("/".into()), ..Check::default() });
    until("it is asked", || !replica.requests().is_empty());
    house.stays(Health::Down);
}

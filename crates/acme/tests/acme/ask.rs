//! Names that no route has.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::authority::{Authority, Temper};
use crate::stage::{House, Running, settings};
use divisi_testkit::pebble::has;

/// Allows names that begin with `good`, and does not answer for those that begin with `slow`.
struct Judge {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    waiting: Arc<AtomicUsize>,
    no_more: Arc<Mutex<bool>>,
}

impl Judge {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (asked, waiting) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let no_more = Arc::new(Mutex::new(false));
        let judge =
            Self { addr, asked: Arc::clone(&asked), waiting: Arc::clone(&waiting), no_more: Arc::clone(&no_more) };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (asked, waiting, no_more) = (Arc::clone(&asked), Arc::clone(&waiting), Arc::clone(&no_more));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap_or(b'\n'));
                    }
                    let line = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
                    asked.lock().unwrap().push(line.clone());
                    if line.contains("=slow") {
                        waiting.fetch_add(1, Ordering::SeqCst);
                        sleep(Duration::from_secs(600)).await;
                    }
                    let is_good = line.contains("=good") && !*no_more.lock().unwrap();
                    let status = if is_good { "204 No Content" } else { "403 Forbidden" };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    let _ = stream
                        .write_all(answer.replace("204 No Content\r\nContent-Length: 0", "204 No Content").as_bytes())
                        .await;
                });
            }
        });
        judge
    }

    fn url(&self) -> String {
        format!("http://{}/may?key=1", self.addr)
    }
}

#[tokio::test]
async fn a_name_that_is_allowed_gets_a_certificate_as_long_as_it_is() {
    if !has("pebble") {
        return;
    }
    let authority = Authority::start(Temper { validity: Some(10), ..Temper::default() }).await;
    let judge = Judge::start().await;
    let mut settings = authority.settings();
    settings.ask = Some(judge.url());
    let running = Running::start(settings, &authority.house, &[]);
    assert!(running.asker.may("good.example").await);
    assert_eq!(judge.asked.lock().unwrap()[0], "GET /may?key=1&domain=good.example HTTP/1.1");
    let first = running.certificate("good.example", None).await;
    let second = running.certificate("good.example", Some(&first)).await;
    assert!(judge.asked.lock().unwrap().len() >= 2, "asked again before the renewal");
    *judge.no_more.lock().unwrap() = true;
    running.status("good.example", |status| !status.is_wanted).await;
    drop(second);
    assert!(running.board.read().iter().all(|status| !status.is_ordering));
}

/// Nobody is ordered from: the authority is a port where nobody listens.
fn alone(url: String) -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem()).unwrap();
    let mut settings = settings("https://127.0.0.1:1/dir", &root, folder.path());
    settings.ask = Some(url);
    settings.pace.ask = Duration::from_millis(500);
    (Running::start(settings, &Arc::new(House::default()), &[]), folder)
}

#[tokio::test]
async fn a_no_is_remembered_and_what_is_no_name_is_not_asked_about() {
    let judge = Judge::start().await;
    let (running, _folder) = alone(judge.url());
    for _ in 0..10 {
        assert!(!running.asker.may("bad.example").await);
    }
    for name in ["localhost", "10.0.0.1", "*.good.example", "good.example/x", "", "web"] {
        assert!(!running.asker.may(name).await, "{name}");
    }
    assert_eq!(judge.asked.lock().unwrap().len(), 1);
    assert!(running.board.read().is_empty());
}

#[tokio::test]
async fn one_who_does_not_answer_is_not_waited_for_and_not_asked_by_everybody_at_once() {
    let judge = Judge::start().await;
    let (running, _folder) = alone(judge.url());
    let all: Vec<_> = (0..100)
        .map(|number| {
            let asker = running.asker.clone();
            tokio::spawn(async move { asker.may(&format!("slow{number}.example")).await })
        })
        .collect();
    for one in all {
        assert!(!one.await.unwrap());
    }
    assert!(judge.waiting.load(Ordering::SeqCst) <= 16, "{:?}", judge.waiting);
    assert!(running.asker.may("good.example").await, "there is room again");
}

#[tokio::test]
async fn without_anybody_to_ask_no_name_is_ordered() {
    let (running, _folder) = alone("http://127.0.0.1:1/".to_owned());
    assert!(!running.asker.may("good.example").await);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem()).unwrap();
    let off =
        Running::start(settings("https://127.0.0.1:1/dir", &root, folder.path()), &Arc::new(House::default()), &[]);
    assert!(!off.asker.may("good.example").await);
}

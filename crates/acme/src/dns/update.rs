//! Changes a record by asking the server of its zone (RFC 2136), over TCP, and waits until that server answers with it.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::message::{self, Answer, IN, NONE, Opcode, SOA, TXT};
use super::place::{self, Place};
use super::{Change, DnsError, Tsig};

/// Seconds that others may remember it.
const TTL: u32 = 60;
/// How often the server is asked whether it knows what it has been told.
const AGAIN: Duration = Duration::from_millis(500);

/// Puts the TXT record there, or where that name leads by a CNAME, or takes it away.
pub(super) async fn change(
    server: &str,
    key: Option<&Tsig>,
    change: Change,
    name: &str,
    value: &str,
) -> Result<(), DnsError> {
    let Place { zone, name } = place::find(server, &place::resolvers(), name).await?;
    let message = update(&zone, key, change, &name, value)?;
    let answer = ask(server, &message).await?;
    if answer.code != 0 {
        return Err(refused(server, answer.code, "update"));
    }
    while change == Change::Present && !has(server, &name, value).await? {
        sleep(AGAIN).await;
    }
    Ok(())
}

/// RFC 2136 2.5.1 and 2.5.4
fn update(zone: &str, key: Option<&Tsig>, change: Change, name: &str, value: &str) -> Result<Vec<u8>, DnsError> {
    let mut message = message::begin(fastrand::u16(..), Opcode::Update, zone, SOA, 1)?;
    let head = match change {
        Change::Present => (TXT, IN, TTL),
        Change::Cleanup => (TXT, NONE, 0),
    };
    message::put_record(&mut message, name, head, &message::text(value))?;
    if let Some(key) = key {
        key.sign(&mut message, SystemTime::now())?;
    }
    Ok(message)
}

async fn has(server: &str, name: &str, value: &str) -> Result<bool, DnsError> {
    let answer = ask(server, &message::begin(fastrand::u16(..), Opcode::Query, name, TXT, 0)?).await?;
    let data = message::text(value);
    Ok(answer.records.iter().any(|record| record.kind == TXT && record.data == data))
}

/// RFC 1035 4.2.2: over TCP a message has its length in front.
pub(super) async fn ask(server: &str, message: &[u8]) -> Result<Answer, DnsError> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(message.len()).expect("a name, a value and a signature are short").to_be_bytes();
        stream.write_all(&[&length, message].concat()).await?;
        let mut answer = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    };
    let bytes = exchange.await.map_err(|error| DnsError::Server(server.to_owned(), error))?;
    let id = u16::from_be_bytes([message[0], message[1]]);
    message::read(&bytes)
        .filter(|answer| answer.id == id && !answer.is_cut)
        .ok_or_else(|| DnsError::Nonsense(server.to_owned()))
}

/// RFC 2136 2.2, RFC 8945 3
pub(super) fn refused(server: &str, code: u8, what: &'static str) -> DnsError {
    let code = match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP (it takes no updates)".to_owned(),
        5 => "REFUSED (it does not let us)".to_owned(),
        9 => "NOTAUTH (the zone is not its own, or it does not know the key)".to_owned(),
        10 => "NOTZONE".to_owned(),
        code => format!("code {code}"),
    };
    DnsError::Refused { server: server.to_owned(), code, what }
}

//! An answer on one stream, put together from its frames.

use crate::http2::frame::code_name;
use crate::http2::hpack::Field;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By END_STREAM.
    Complete,
    /// By RST_STREAM with this code.
    Reset(u32),
    /// The connection ended before the stream did.
    Cut,
}

/// What came on one stream so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Every interim answer.
    pub interim: Vec<Vec<Field>>,
    /// The fields of the final answer, pseudo-fields included; empty until they came.
    pub fields: Vec<Field>,
    /// The body.
    pub body: Vec<u8>,
    /// How many frames of DATA it came in.
    pub pieces: usize,
    /// The fields after the body.
    pub trailers: Vec<Field>,
    /// How it ended; nothing while it goes on.
    pub ending: Option<Ending>,
}

impl Response {
    /// Its status; 0 where none came.
    pub fn status(&self) -> u16 {
        status_of(&self.fields)
    }

    /// The statuses of the interim answers.
    pub fn interim_statuses(&self) -> Vec<u16> {
        self.interim.iter().map(|fields| status_of(fields)).collect()
    }

    /// The value of the first field of that name.
    pub fn value(&self, name: &str) -> Option<String> {
        value(&self.fields, name)
    }

    /// The value of the first trailer of that name.
    pub fn trailer(&self, name: &str) -> Option<String> {
        value(&self.trailers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The code by which its stream was reset, if it was.
    pub fn reset(&self) -> Option<u32> {
        match self.ending {
            Some(Ending::Reset(code)) => Some(code),
            _ => None,
        }
    }

    /// Whether it came whole.
    pub fn is_complete(&self) -> bool {
        self.ending == Some(Ending::Complete)
    }

    /// What it was, in a few words.
    pub fn shown(&self) -> String {
        let ending = match self.ending {
            None => "not at its end".to_owned(),
            Some(Ending::Complete) => "complete".to_owned(),
            Some(Ending::Reset(code)) => format!("reset by {}", code_name(code)),
            Some(Ending::Cut) => "cut off with its connection".to_owned(),
        };
        format!("status {}, {} bytes, {ending}", self.status(), self.body.len())
    }

    pub(crate) fn add_fields(&mut self, fields: Vec<Field>) -> Result<(), String> {
        if !self.fields.is_empty() {
            if !self.trailers.is_empty() {
                return Err("fields after the trailers".to_owned());
            }
            if fields.iter().any(|(name, _)| name.starts_with(b":")) {
                return Err("a pseudo-field in the trailers".to_owned());
            }
            self.trailers = fields;
            return Ok(());
        }
        check_head(&fields)?;
        if (100..200).contains(&status_of(&fields)) {
            self.interim.push(fields);
        } else {
            self.fields = fields;
        }
        Ok(())
    }
}

/// RFC 9113 8.3.2: one `:status`, in front; 8.2: names in lower case, and nothing that is about a connection.
fn check_head(fields: &[Field]) -> Result<(), String> {
    let pseudo = fields.iter().filter(|(name, _)| name.starts_with(b":")).count();
    if pseudo != 1 || fields.first().is_none_or(|(name, _)| name != b":status") {
        return Err(format!("the pseudo-fields of {fields:?}"));
    }
    const CONNECTION: [&[u8]; 5] =
        [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];
    for (name, _) in fields {
        if name.iter().any(u8::is_ascii_uppercase) || CONNECTION.contains(&&name[..]) {
            return Err(format!("the field {:?}", String::from_utf8_lossy(name)));
        }
    }
    Ok(())
}

fn status_of(fields: &[Field]) -> u16 {
    value(fields, ":status").and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn value(fields: &[Field], name: &str) -> Option<String> {
    let (_, value) = fields.iter().find(|(found, _)| found == name.as_bytes())?;
    Some(String::from_utf8_lossy(value).into_owned())
}

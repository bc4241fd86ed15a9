//! A request's body that can be sent again, as long as it is small: what was passed on is kept, up to a bound.

use std::time::Duration;

use crate::body::{Piece, Source};
use crate::error::Error;

/// How much is kept of a body. A larger one is sent once.
const MOST: usize = 64 * 1024;

/// A request's body, and what has to be known to send it again.
pub(crate) struct Keeper<'a, S> {
    pub(crate) body: &'a mut S,
    kept: &'a mut Vec<u8>,
    /// Whether keeping is worth it: what may not be sent again is not kept.
    keeps: bool,
    /// Everything that was passed on is in `kept`.
    is_whole: bool,
    /// Where in `kept` the trailer section begins, once the end was passed on.
    end: Option<usize>,
    /// What is kept is to be passed on once more before anything new.
    again: bool,
}

impl<'a, S: Source> Keeper<'a, S> {
    pub(crate) fn new(body: &'a mut S, kept: &'a mut Vec<u8>) -> Self {
        kept.clear();
        Self { body, kept, keeps: false, is_whole: true, end: None, again: false }
    }

    /// Whether all of the body can still be had.
    pub(crate) fn can_rewind(&self) -> bool {
        self.is_whole
    }

    /// Begins again.
    pub(crate) fn rewind(&mut self) {
        self.again = !self.kept.is_empty() || self.end.is_some();
    }
}

/// Keeps a piece, or gives up what was kept when it becomes too much.
fn store(piece: Piece<'_>, kept: &mut Vec<u8>, end: &mut Option<usize>) -> bool {
    let section = piece.end.unwrap_or_default();
    if kept.len() + piece.data.len() + section.len() > MOST {
        kept.clear();
        return false;
    }
    kept.extend_from_slice(piece.data);
    if piece.end.is_some() {
        *end = Some(kept.len());
        kept.extend_from_slice(section);
    }
    true
}

impl<S: Source> Source for Keeper<'_, S> {
    async fn next(&mut self) -> Result<Piece<'_>, Error> {
        if std::mem::take(&mut self.again) {
            let (data, section) = self.kept.split_at(self.end.unwrap_or(self.kept.len()));
            return Ok(Piece { data, end: self.end.map(|_| section) });
        }
        let piece = self.body.next().await?;
        if self.is_whole && (self.keeps || piece.data.is_empty()) {
            self.is_whole = store(piece, self.kept, &mut self.end);
        } else {
            self.is_whole = false;
        }
        Ok(piece)
    }

    fn rest(&mut self) {
        self.body.rest();
    }

    fn is_ready(&self) -> bool {
        self.again || self.body.is_ready()
    }

    fn is_over(&self) -> bool {
        !self.again && self.body.is_over()
    }

    fn keep(&mut self, wanted: bool) {
        self.keeps = wanted;
    }

    async fn left(&mut self, most: usize) {
        self.body.left(most).await;
    }

    async fn gone(&mut self) -> Error {
        self.body.gone().await
    }

    fn become_tunnel(&mut self, silence: Duration) {
        self.body.become_tunnel(silence);
    }
}

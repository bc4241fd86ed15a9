//! How much a tree may come to. A few lines of aliases, or of services that extend each other, would fill any memory.

use crate::node::{Node, Value};
use crate::problem::Fault;

/// Far more than the largest file that anybody has written, and some tens of megabytes.
const MOST: usize = 400_000;

/// How many bytes of text count as much as a node.
const BYTES: usize = 64;

/// What may still be made.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST }
    }
}

impl Budget {
    /// Takes what a text of that length costs.
    ///
    /// # Errors
    /// There is not so much left.
    pub(crate) fn text(&mut self, length: usize) -> Result<(), Fault> {
        let cost = 1 + length / BYTES;
        let Some(left) = self.left.checked_sub(cost) else {
            self.left = 0;
            return Err(Fault::TooLarge);
        };
        self.left = left;
        Ok(())
    }

    /// Takes what a copy of a node costs.
    ///
    /// # Errors
    /// There is not so much left.
    pub(crate) fn copy(&mut self, node: &Node) -> Result<Node, Fault> {
        self.count(node)?;
        Ok(node.clone())
    }

    fn count(&mut self, node: &Node) -> Result<(), Fault> {
        match &node.value {
            Value::Null => self.text(0),
            Value::Scalar(scalar) => self.text(scalar.text.len()),
            Value::List(list) => {
                self.text(0)?;
                list.iter().try_for_each(|inner| self.count(inner))
            }
            Value::Map(map) => {
                self.text(0)?;
                map.iter().try_for_each(|(key, inner)| {
                    self.text(key.len())?;
                    self.count(inner)
                })
            }
        }
    }
}

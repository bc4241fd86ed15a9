//! What stands for what: the process's environment, then the files of variables.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// The environment of a process, or what a test says it is.
pub(crate) type Process<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All variables that a file may use.
#[derive(Clone)]
pub(crate) struct Variables<'a> {
    process: Process<'a>,
    files: Rc<HashMap<String, String>>,
}

impl fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl<'a> Variables<'a> {
    pub(crate) fn new(process: Process<'a>) -> Self {
        Self { process, files: Rc::default() }
    }

    /// These, and behind them those of another file.
    pub(crate) fn with(&self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut files = HashMap::clone(&self.files);
        for (name, value) in more {
            files.entry(name).or_insert(value);
        }
        Self { process: self.process, files: files.into() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.process)(name).or_else(|| self.files.get(name).cloned())
    }
}

//! The labels of one container become a spec, a weight and complaints.

use std::collections::BTreeMap;

use divisi_model::Spec;
use divisi_model::spec::Affinity;

use crate::complaint::Complaint;
use crate::row::{Of, PREFIX, Row};
use crate::table::TABLE;

/// What the labels of one container say about its service and itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What is wanted of the service.
    pub spec: Spec,
    /// How many times the share of a replica of weight 1 the container gets; at least 1.
    pub weight: u32,
    /// Labels that could not be read; what they would have set stays as it was.
    pub complaints: Vec<Complaint>,
}

/// Reads every `divisi.*` label on top of `base`. A label that cannot be read is a complaint and loses only itself; an empty
/// one counts as not set, because that is how Compose writes a variable that is not.
///
/// Labels have no order. They are read in that of the table, so that the same ones always come to the same.
pub fn read<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>, base: &Spec) -> Reading {
    let ours = labels.into_iter().filter_map(|(label, value)| Some((label.strip_prefix(PREFIX)?, value.trim())));
    let mut ours: BTreeMap<&str, &str> = ours.filter(|(_, value)| !value.is_empty()).collect();
    let mut reading = Reading { spec: base.clone(), weight: 1, complaints: Vec::new() };
    let mut says_affinity = false;
    for row in TABLE {
        if let Some(value) = ours.remove(row.key) {
            match reading.put(row, value, says_affinity) {
                Ok(()) => says_affinity |= row.is_affinity(),
                Err(accepted) => reading.complaints.push(Complaint::value(row, value, accepted)),
            }
        }
    }
    let unknown = ours.into_iter().map(|(key, value)| Complaint::unknown(key, value));
    reading.complaints.extend(unknown);
    reading
}

impl Reading {
    fn put(&mut self, row: &Row, value: &str, says_affinity: bool) -> Result<(), String> {
        let set = match row.of {
            Of::Container { set } => return set(&mut self.weight, value),
            Of::Service { set, .. } => set,
        };
        let mut spec = self.spec.clone();
        if row.is_affinity() && !says_affinity {
            // What the flags say for all services does not stand against what a label says for this one.
            spec.affinity = Affinity::None;
        }
        set(&mut spec, value)?;
        self.spec = spec;
        Ok(())
    }
}

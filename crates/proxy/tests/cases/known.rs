//! Cases in which divisi does something else than asked, each with its reason. An entry that no longer applies fails.

/// Name of the case, and why.
pub(crate) const KNOWN: &[(&str, &str)] = &[];

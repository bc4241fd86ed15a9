//! Cases in which divisi does something else than asked, each with its reason. An entry that no longer applies fails.

/// One of them.
pub(crate) struct Known {
    pub(crate) paragraph: &'static str,
    pub(crate) says: &'static str,
    /// What is seen instead; anything else is still a failure.
    pub(crate) seen: &'static str,
    /// Why it is left so.
    #[expect(dead_code, reason = "for the reader")]
    pub(crate) why: &'static str,
}

/// The crate `h2` names every error of the frame layer and of HPACK so. The connection ends as it must.
const GENERIC: &str = "PROTOCOL_ERROR and not ";

const fn code(paragraph: &'static str, says: &'static str) -> Known {
    Known { paragraph, says, seen: GENERIC, why: "h2 has one code for all of these" }
}

pub(crate) const KNOWN: &[Known] = &[
    code("4.3", "a header block that cannot be read is an error of the connection"),
    code("6.1", "DATA belongs to a stream that is open"),
    code("6.3", "PRIORITY has five bytes"),
    code("6.4", "RST_STREAM has four bytes"),
    code("6.5", "SETTINGS have six bytes each"),
    code("6.5", "SETTINGS that acknowledge are empty"),
    code("6.5.2", "INITIAL_WINDOW_SIZE has 31 bits"),
    code("6.7", "PING has eight bytes"),
    code("6.9", "WINDOW_UPDATE has four bytes"),
    code("7541 2.3.3", "a name by an index beyond both tables"),
    code("7541 2.3.3", "an index beyond both tables"),
    code("7541 4.2", "a new size of the table anywhere but in front"),
    code("7541 4.4", "an entry larger than the table empties it"),
    code("7541 5.1", "an integer that does not end"),
    code("7541 5.2", "EOS within a string"),
    code("7541 5.2", "a string that is longer than its block"),
    code("7541 5.2", "padding of more than seven bits"),
    code("7541 5.2", "padding with zeros"),
    code("7541 6.1", "the index 0"),
    code("7541 6.3", "a table larger than SETTINGS_HEADER_TABLE_SIZE"),
    Known {
        paragraph: "8.3",
        says: "trailers have no pseudo-field",
        seen: "taken for a good request",
        why: "h2 drops pseudo-fields of trailers before anybody sees them; nothing of them reaches a replica",
    },
];

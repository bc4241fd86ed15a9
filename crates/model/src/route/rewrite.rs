//! What is done to the path of a request on its way to a replica.

/// What is done to the path of a request. The query stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// The first of these that the path begins with, on a segment's boundary if `whole`, goes away. A path that is empty
    /// then is `/`.
    Strip {
        /// What goes away.
        prefixes: Vec<String>,
        /// Whether `/api` leaves `/apis` alone.
        whole: bool,
    },
    /// This is put before it.
    Add(String),
    /// This stands in its place.
    Replace(String),
}

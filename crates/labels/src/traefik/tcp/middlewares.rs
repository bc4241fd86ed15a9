//! What the fields of a middleware of TCP put in its place: there are two that guard, and no others.

use divisi_model::route::Rule;

use crate::traefik::draft::Said;
use crate::traefik::scalar;
use crate::values;
use crate::verdict::Outcome;

/// A middleware of TCP while it is read.
#[derive(Debug, Default)]
pub(crate) struct Middleware {
    /// Only these clients.
    pub(crate) clients: Option<Rule>,
    /// It limits how many connections a client has at a time, which is not carried out.
    pub(crate) limits: bool,
    /// It cannot be carried out; why.
    pub(crate) broken: Option<String>,
}

pub(crate) fn clients(middleware: &mut Middleware, said: Said<'_>) -> Outcome {
    let read = scalar::list(said.value).and_then(|words| {
        if words.is_empty() {
            return Err("it is empty: is the variable set?".to_owned());
        }
        let clients: Result<_, _> = words.iter().map(|word| Rule::client_ip(word)).collect();
        clients.and_then(Rule::any).map_err(|error| error.to_string())
    });
    match read {
        Ok(clients) => {
            middleware.clients = Some(clients);
            Outcome::Used
        }
        Err(accepted) => {
            middleware.broken.get_or_insert_with(|| format!("{} cannot be read", said.label));
            Outcome::wrong(format!("{accepted}; routes that name it are closed"))
        }
    }
}

/// It keeps nobody out who may come in; so its routes stay open.
pub(crate) fn in_flight(middleware: &mut Middleware, said: Said<'_>) -> Outcome {
    middleware.limits = true;
    match values::number(said.value, &(0..=i64::MAX)) {
        Ok(_) => Outcome::Ignored(
            "connections of one client are not counted; divisi.limit and divisi.limit.service bound those of all"
                .to_owned(),
        ),
        Err(accepted) => Outcome::wrong(accepted),
    }
}

/// One that nobody knows might be a guard.
pub(crate) fn unknown(middleware: &mut Middleware, said: Said<'_>) -> Outcome {
    middleware.broken.get_or_insert_with(|| format!("{} is of a type that is not known", said.label));
    Outcome::wrong("TCP has only ipallowlist.sourcerange and inflightconn.amount; routes that name it are closed")
}

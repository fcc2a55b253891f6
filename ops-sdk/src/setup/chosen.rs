//! Which backends a process ships to, and by which rules: the program's, else the environment's, else the file's, else
//! the local store.

use std::sync::Arc;

use super::builder::Builder;
use super::env::Var;
use super::file::{self, File};
use super::placed::{Own, Placed, check_name, prefix};
use super::routes::Routes;
use crate::backend::{self, Backend, Configure, Context};
use crate::error::Error;
use crate::net::TrustFiles;
use crate::route;

const BACKENDS: &str = "OPS_BACKENDS";

/// Backends that are not open yet, and what leads to them.
pub(super) struct Chosen {
    backends: Vec<Placed>,
    routes: Arc<Routes>,
}

impl Chosen {
    /// Opens all of them.
    ///
    /// # Errors
    ///
    /// If one cannot be opened, two have the same name, or a rule leads nowhere.
    pub(super) fn open(self, context: &Context) -> Result<Vec<Box<dyn Backend>>, Error> {
        let opened = self.backends.into_iter().map(|backend| Box::new(backend).open(context));
        let opened: Vec<_> = opened.collect::<Result<_, _>>()?;
        let ids: Vec<String> = opened.iter().map(|backend| backend.id().to_owned()).collect();
        if let Some((_, twice)) = ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)) {
            let problem = format!("there are two backends \"{twice}\"");
            let remedy = "give the second a name of its own: .backend_named(\"archive\", ..), or archive=s3 in OPS_BACKENDS";
            return Err(Error::setting(".backend(..)", problem, remedy));
        }
        self.routes.check(&ids)?;
        Ok(opened)
    }

    /// The same settings once more, of those that have that.
    pub(super) fn again(&self) -> Vec<Box<dyn Configure>> {
        self.backends.iter().filter_map(Configure::again).collect()
    }
}

/// What the builder, the environment and the file choose.
pub(super) fn backends(builder: &mut Builder) -> Result<Chosen, Error> {
    let file = file::read(&builder.var)?;
    let (rules, setting) = match (std::mem::take(&mut builder.routes), (builder.var)("OPS_ROUTES")) {
        (own, _) if !own.is_empty() => (own, ".route(..)"),
        (_, Some(text)) => (rules(&text)?, "OPS_ROUTES"),
        _ => (file.routes.clone(), file::SETTING),
    };
    let tiers = file.tiers.clone().into_iter().chain(std::mem::take(&mut builder.tiers));
    let routes = Arc::new(Routes::new(rules, tiers, setting)?);
    let own = std::mem::take(&mut builder.backends);
    let https = std::mem::take(&mut builder.https);
    let backends = if own.is_empty() {
        named(&builder.var, &file, &routes, &https)?
    } else {
        told(own, &routes, &https)?
    };
    Ok(Chosen { backends, routes })
}

fn rules(text: &str) -> Result<Vec<route::Route>, Error> {
    let remedy =
        "write rules as in \"metric -> short; log level>=warn -> short, middle; log sample=0.1 -> long\"";
    route::rules(text).map_err(|problem| Error::setting("OPS_ROUTES", problem, remedy))
}

/// What the program says.
fn told(
    own: Vec<(Option<String>, Box<dyn Configure>)>,
    routes: &Arc<Routes>,
    https: &TrustFiles,
) -> Result<Vec<Placed>, Error> {
    let placed = |(name, settings): (Option<String>, _)| {
        name.as_deref().map_or(Ok(()), |name| check_name(name, ".backend_named(..)"))?;
        Ok(Placed { name, settings, own: Own::default(), routes: Arc::clone(routes), https: https.clone() })
    };
    own.into_iter().map(placed).collect()
}

/// What `OPS_BACKENDS` names, else what the file has, else the local store.
fn named(var: &Var, file: &File, routes: &Arc<Routes>, https: &TrustFiles) -> Result<Vec<Placed>, Error> {
    let text = var(BACKENDS).unwrap_or_default();
    let mut names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        names = file.backends.keys().map(String::as_str).collect();
    }
    let of = |name: &&str| name.split_once('=').map_or(*name, |(name, _)| name).trim().to_owned();
    if let Some((_, twice)) =
        names.iter().enumerate().find(|(at, name)| names[..*at].iter().any(|other| of(other) == of(name)))
    {
        let problem = format!("\"{}\" is named twice", of(twice));
        return Err(Error::setting(
            BACKENDS,
            problem,
            "name each backend once, or a second of its kind as in archive=s3",
        ));
    }
    if names.is_empty() {
        return local().map(|settings| {
            vec![Placed {
                name: None,
                settings,
                own: Own::default(),
                routes: Arc::clone(routes),
                https: https.clone(),
            }]
        });
    }
    names.into_iter().map(|name| place(name, file, routes, https)).collect()
}

/// One name: `s3`, `archive=s3`, or one that the file explains.
fn place(word: &str, file: &File, routes: &Arc<Routes>, https: &TrustFiles) -> Result<Placed, Error> {
    let (name, kind) =
        word.split_once('=').map_or((word, None), |(name, kind)| (name.trim(), Some(kind.trim())));
    let section = file.backends.get(name);
    let kind = kind.or(section.map(|section| section.kind.as_str())).unwrap_or(name);
    let settings = by_name(kind)?;
    let values = section.map(|section| section.values.clone()).unwrap_or_default();
    let is_named = name != kind;
    if is_named {
        check_name(name, BACKENDS)?;
    }
    let prefixes = is_named.then(|| (prefix(name), prefix(kind)));
    let name = is_named.then(|| name.to_owned());
    Ok(Placed {
        name,
        settings,
        own: Own { prefixes, values },
        routes: Arc::clone(routes),
        https: https.clone(),
    })
}

fn local() -> Result<Box<dyn Configure>, Error> {
    backend::by_name("local").ok_or_else(|| {
        let remedy = "name one with OPS_BACKENDS or .backend(..), or enable the feature `local` of ops-sdk";
        Error::setting(BACKENDS, "no backend is named, and the local store is not built in", remedy)
    })
}

fn by_name(name: &str) -> Result<Box<dyn Configure>, Error> {
    backend::by_name(name).ok_or_else(|| {
        let (known, compiled): (Vec<_>, Vec<_>) = backend::known().iter().copied().unzip();
        let is_known = known.iter().position(|other| *other == name);
        if is_known.is_some_and(|at| !compiled[at]) {
            let problem = format!("backend \"{name}\" is not built in");
            return Error::setting(BACKENDS, problem, format!("enable the feature `{name}` of ops-sdk"));
        }
        let remedy = format!("use one of: {}", known.join(", "));
        Error::setting(BACKENDS, format!("unknown backend \"{name}\""), remedy)
    })
}

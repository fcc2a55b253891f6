//! Requests: the resource and the scope around the items of a push, all of one process.

use super::{Form, Item, Kind, json, protobuf};

/// The scope of everything: who measured.
pub(super) const SCOPE: &str = "ops-sdk";
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The attribute that tells a process from every other of its service.
const INSTANCE: &str = "service.instance.id";

/// What is told once a request: the attributes of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    attributes: Vec<(String, String)>,
}

impl Body {
    /// Requests of this resource. Of attributes with the same name the first is kept, and none without a name.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = (String, String)>) -> Body {
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in attributes {
            if !name.is_empty() && kept.iter().all(|(other, _)| *other != name) {
                kept.push((name, value));
            }
        }
        Body { attributes: kept }
    }

    /// Bytes of a request around its items, at most.
    #[must_use]
    pub fn bytes(&self, form: Form) -> usize {
        // Lengths of protobuf grow with the items: three of them, of at most ten bytes each.
        const LENGTHS: usize = 30;
        self.of(form, Kind::Metrics, u64::MAX, std::iter::empty()).len() + LENGTHS
    }

    /// The request that holds these items of one process, and those alone that are of this form and kind.
    #[must_use]
    pub fn of<'i>(
        &self,
        form: Form,
        kind: Kind,
        process: u64,
        items: impl Iterator<Item = &'i [u8]> + Clone,
    ) -> Vec<u8> {
        let items = items.filter(|bytes| Item::of(bytes) == Some(Item { form, kind }));
        let attributes = self.attributes(process);
        match form {
            Form::Protobuf => protobuf::body(&attributes, items),
            Form::Json => json::body(kind, &attributes, items),
        }
    }

    /// The attributes of the resource of one process: the process by its number unless the operator named it.
    fn attributes(&self, process: u64) -> Vec<(String, String)> {
        let mut attributes = self.attributes.clone();
        if attributes.iter().all(|(name, _)| name != INSTANCE) {
            attributes.push((INSTANCE.to_owned(), format!("{process:016x}")));
        }
        attributes
    }
}

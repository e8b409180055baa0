//! Who is verified: marked wherever a name is shown.

use std::collections::BTreeSet;

use recado_proto::name::NameKeys;
use recado_proto::text::sanitise_line;

/// What follows the name of someone who is verified. No name has one of its own.
pub(crate) const MARK: &str = " ✓";

/// Those with whom both sides have found the code of their keys right.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Marks(BTreeSet<String>);

impl Marks {
    /// Of these, and nobody else.
    pub(crate) fn of(names: &[String]) -> Self {
        Self(names.iter().map(|name| NameKeys::of(name).folded).collect())
    }

    /// Whether someone is verified.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.has_folded(&NameKeys::of(name).folded)
    }

    /// The same, of a name that is case-mapped.
    pub(crate) fn has_folded(&self, folded: &str) -> bool {
        self.0.contains(folded)
    }

    /// A name as it is shown to people, with its mark.
    pub(crate) fn shown(&self, name: &str) -> String {
        let mut shown = sanitise_line(name).into_owned();
        if self.has(name) {
            shown.push_str(MARK);
        }
        shown
    }
}

//! Who is told of what.

use alloy::primitives::Address;

use super::{Kind, Severity};

/// What an incident goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// A problem began.
    Opened,
    /// It got worse.
    Worsened,
    /// It got better, and is not over.
    Improved,
    /// It is as bad as before, and shows in another way: other nodes.
    Changed,
    /// All that could be tried was in vain: somebody must do something.
    Stuck,
    /// It comes and goes: it is told once so, in the place of each time.
    Flapping,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Recovered,
}

impl Transition {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::Opened,
        Self::Worsened,
        Self::Improved,
        Self::Changed,
        Self::Stuck,
        Self::Flapping,
        Self::Acknowledged,
        Self::Recovered,
    ];

    /// The name of the alert's event.
    pub fn event(self) -> &'static str {
        match self {
            Self::Opened => "incident.opened",
            Self::Worsened => "incident.worsened",
            Self::Improved => "incident.improved",
            Self::Changed => "incident.changed",
            Self::Stuck => "incident.stuck",
            Self::Flapping => "incident.flapping",
            Self::Acknowledged => "incident.acknowledged",
            Self::Recovered => "incident.recovered",
        }
    }

    /// Back from [`Transition::event`].
    pub fn of_event(event: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.event() == event)
    }

    /// Whether it says something beside how things stand, which is true still when they stand otherwise.
    pub fn is_aside(self) -> bool {
        matches!(self, Self::Stuck | Self::Acknowledged)
    }

    /// Whether it says that something is wrong now.
    fn is_wrong(self) -> bool {
        !matches!(self, Self::Acknowledged | Self::Recovered)
    }
}

/// Which incidents a sink is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The least severity.
    pub severity: Severity,
    /// Of which collections; none: of all.
    pub collections: Vec<Address>,
    /// Which kinds; none: all.
    pub kinds: Vec<Kind>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { severity: Severity::Info, collections: Vec::new(), kinds: Vec::new() }
    }
}

impl Filter {
    /// As what a sink is told of a transition, if it is; `told`: whether it was told of the incident
    /// before.
    ///
    /// Who was told that something is wrong is told all that comes of it, also below the least severity:
    /// else they would take it to be as bad as before. Who was not is told of it as of a new one, as soon
    /// as it is bad enough for them, and never of the end of what they knew nothing of.
    pub fn tells(
        &self,
        (kind, collection): (Kind, Address),
        severity: Severity,
        told: bool,
        transition: Transition,
    ) -> Option<Transition> {
        let concerned = (self.collections.is_empty() || self.collections.contains(&collection))
            && (self.kinds.is_empty() || self.kinds.contains(&kind));
        match (concerned, told) {
            // Whatever the settings are by now.
            (_, true) => Some(transition),
            (false, false) => None,
            (true, false) if severity < self.severity || !transition.is_wrong() => None,
            (true, false) if transition == Transition::Flapping => Some(transition),
            (true, false) => Some(Transition::Opened),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The severities that an incident has from its opening on.
    fn story() -> impl Strategy<Value = Vec<Severity>> {
        prop::collection::vec(prop::sample::select(Severity::ALL), 1..12)
    }

    fn between(before: Severity, now: Severity) -> Transition {
        match now.cmp(&before) {
            std::cmp::Ordering::Less => Transition::Improved,
            std::cmp::Ordering::Equal => Transition::Changed,
            std::cmp::Ordering::Greater => Transition::Worsened,
        }
    }

    /// What a sink is told of such an incident, its recovery included.
    fn told(
        filter: &Filter,
        kind: Kind,
        collection: Address,
        story: &[Severity],
    ) -> Vec<Transition> {
        let mut told = Vec::new();
        let mut before = None;
        let mut tell = |severity, transition| {
            let known = !told.is_empty();
            told.extend(filter.tells((kind, collection), severity, known, transition));
        };
        for severity in story {
            tell(*severity, before.map_or(Transition::Opened, |before| between(before, *severity)));
            before = Some(*severity);
        }
        tell(*story.iter().max().unwrap(), Transition::Recovered);
        told
    }

    /// Settings as somebody may write them.
    fn filter(ours: Address) -> impl Strategy<Value = Filter> {
        let severity = prop::sample::select(Severity::ALL);
        let kinds = prop::collection::vec(prop::sample::select(Kind::ALL), 0..3);
        (severity, kinds, any::<bool>(), any::<bool>()).prop_map(
            move |(severity, kinds, named, other)| {
                let collections = [(named, ours), (other, Address::repeat_byte(2))];
                let collections =
                    collections.iter().filter(|(is, _)| *is).map(|(_, one)| *one).collect();
                Filter { severity, collections, kinds }
            },
        )
    }

    proptest! {
        /// The settings may be others by then: what a sink says is wrong must end there.
        #[test]
        fn who_was_told_is_told_the_rest_whatever_the_settings_are_by_now(
            filter in filter(Address::repeat_byte(1)),
            kind in prop::sample::select(Kind::ALL),
            severity in prop::sample::select(Severity::ALL),
            transition in prop::sample::select(&[Transition::Worsened, Transition::Improved,
                Transition::Changed, Transition::Acknowledged, Transition::Recovered][..]),
        ) {
            let about = (kind, Address::repeat_byte(1));
            prop_assert_eq!(filter.tells(about, severity, true, transition), Some(transition));
        }

        #[test]
        fn who_is_told_of_a_beginning_is_told_of_the_end_and_nobody_else_is(
            severity in prop::sample::select(Severity::ALL),
            kinds in prop::collection::vec(prop::sample::select(Kind::ALL), 0..3),
            kind in prop::sample::select(Kind::ALL),
            named in any::<bool>(),
            other in any::<bool>(),
            story in story(),
        ) {
            let ours = Address::repeat_byte(1);
            let collections = [(named, ours), (other, Address::repeat_byte(2))];
            let collections = collections.iter().filter(|(is, _)| *is).map(|(_, one)| *one).collect();
            let filter = Filter { severity, collections, kinds: kinds.clone() };
            let told = told(&filter, kind, ours, &story);
            let concerned = (named || !other) && (kinds.is_empty() || kinds.contains(&kind));
            let bad_enough = story.iter().any(|one| *one >= severity);
            prop_assert_eq!(!told.is_empty(), concerned && bad_enough);
            if let (Some(first), Some(last)) = (told.first(), told.last()) {
                prop_assert_eq!(*first, Transition::Opened);
                prop_assert_eq!(*last, Transition::Recovered);
                let inner = &told[1..told.len() - 1];
                prop_assert!(!inner.contains(&Transition::Opened) && !inner.contains(&Transition::Recovered));
                // From the first that is bad enough on, they are told of everything.
                let first = story.iter().position(|one| *one >= severity).unwrap();
                prop_assert_eq!(told.len(), story.len() - first + 1);
            }
        }
    }
}

//! How the subject of an incident stands, and whether that is better or worse than before.

use std::cmp::{Ordering, Reverse};

use super::Transition;
use crate::health::Health;

/// How the subject of an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its health.
    pub health: Health,
    /// Independent verified replicas, where it is a content.
    pub independent: Option<u32>,
    /// How many of them are held, where it is a content.
    pub held: Option<u32>,
}

impl Standing {
    /// Of what has no replicas.
    pub fn of(health: Health) -> Self {
        Self { health, independent: None, held: None }
    }

    /// What became of it since `before`. The health decides; where it is the same, how many independent
    /// replicas there are; then how many of them are held. What is not known of both decides nothing.
    pub fn since(&self, before: &Self) -> Transition {
        let known = |now: Option<u32>, before: Option<u32>| now.zip(before);
        let count = |pair: Option<(u32, u32)>| {
            pair.map_or(Ordering::Equal, |(now, before)| Reverse(now).cmp(&Reverse(before)))
        };
        let worse = self
            .health
            .cmp(&before.health)
            .then(count(known(self.independent, before.independent)))
            .then(count(known(self.held, before.held)));
        match worse {
            Ordering::Less => Transition::Improved,
            Ordering::Equal => Transition::Changed,
            Ordering::Greater => Transition::Worsened,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn standing() -> impl Strategy<Value = Standing> {
        let counts = (0..4_u32, 0..4_u32);
        (prop::sample::select(Health::ALL), counts).prop_map(|(health, (independent, held))| {
            Standing { health, independent: Some(independent), held: Some(held) }
        })
    }

    fn opposite(transition: Transition) -> Transition {
        match transition {
            Transition::Improved => Transition::Worsened,
            Transition::Worsened => Transition::Improved,
            other => other,
        }
    }

    proptest! {
        #[test]
        fn what_got_better_got_worse_the_other_way_round(one in standing(), other in standing()) {
            prop_assert_eq!(one.since(&other), opposite(other.since(&one)));
            prop_assert_eq!(one.since(&one), Transition::Changed);
            // Only what is alike in all three is neither.
            prop_assert_eq!(one.since(&other) == Transition::Changed, one == other);
        }

        #[test]
        fn getting_worse_twice_is_worse(a in standing(), b in standing(), c in standing()) {
            use Transition::Worsened;
            if b.since(&a) == Worsened && c.since(&b) == Worsened {
                prop_assert_eq!(c.since(&a), Worsened);
            }
        }

        #[test]
        fn health_decides_before_counts_and_copies_before_held_ones(one in standing(), other in standing()) {
            if one.health > other.health {
                prop_assert_eq!(one.since(&other), Transition::Worsened);
            }
            if one.health == other.health && one.independent < other.independent {
                prop_assert_eq!(one.since(&other), Transition::Worsened);
            }
            let unknown = Standing::of(one.health);
            prop_assert_eq!(unknown.since(&one), Transition::Changed);
        }
    }
}

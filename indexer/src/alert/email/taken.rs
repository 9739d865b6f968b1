//! Who took a mail that others are refused: nobody gets it twice, and one who is refused keeps it from
//! nobody else.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use lettre::Address;

use super::smtp::Unserved;

/// So often a mail is tried for those who are refused for now, as by greylisting, while others have it: a
/// quarter of an hour. The next of its incident wait for it.
const TRIES: u32 = 10;

/// By alert. Lost when the process ends: then those who took a mail get it once more, with its id.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<HashMap<String, Try>>);

#[derive(Debug, Default)]
struct Try {
    by: BTreeSet<Address>,
    tries: u32,
}

/// What came of a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Everybody has it.
    All,
    /// Nobody has it.
    None(Vec<Unserved>),
    /// Some have it; it is tried again for the others.
    Again(Vec<Unserved>),
    /// Some have it, and the others don't get it.
    But(Vec<Unserved>),
}

impl Taken {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Try>> {
        // Who panicked left none half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who don't have an alert yet.
    pub(super) fn lacking<'a>(
        &self,
        alert: &str,
        to: impl Iterator<Item = &'a Address>,
    ) -> Vec<Address> {
        let all = self.all();
        let has = |one: &&Address| all.get(alert).is_some_and(|some| some.by.contains(*one));
        to.filter(|one| !has(one)).cloned().collect()
    }

    /// Notes what came of a try for some.
    pub(super) fn note(&self, alert: &str, tried: Vec<Address>, unserved: Vec<Unserved>) -> Came {
        let mut all = self.all();
        let some = all.entry(alert.to_owned()).or_default();
        let refused = |one: &Address| unserved.iter().any(|(address, _)| address == one);
        some.by.extend(tried.into_iter().filter(|one| !refused(one)));
        some.tries += 1;
        let came = match (unserved.is_empty(), some.by.is_empty()) {
            (true, _) => Came::All,
            (false, true) => Came::None(unserved),
            (false, false) if some.tries < TRIES && !unserved.iter().all(is_final) => {
                return Came::Again(unserved);
            }
            (false, false) => Came::But(unserved),
        };
        all.remove(alert);
        came
    }
}

fn is_final((_, reply): &Unserved) -> bool {
    reply.is_permanent()
}

#[cfg(test)]
mod tests {
    use super::{super::smtp::Reply, *};

    fn address(name: &str) -> Address {
        format!("{name}@example.org").parse().unwrap()
    }

    fn unserved(name: &str, code: u16) -> Unserved {
        (address(name), Reply { code: Some(code), said: "no".to_owned() })
    }

    #[test]
    fn nobody_gets_a_mail_twice_and_who_is_refused_for_ever_is_not_waited_for() {
        let (taken, [a, b]) = (Taken::default(), ["a", "b"].map(address));
        let both = || vec![a.clone(), b.clone()];
        let lacking = || taken.lacking("x", both().iter());
        assert_eq!(
            taken.note("x", both(), vec![unserved("a", 550)]),
            Came::But(vec![unserved("a", 550)])
        );
        assert_eq!(lacking(), both(), "that one is done with");
        let busy = || vec![unserved("b", 451)];
        for _ in 1..TRIES {
            assert_eq!(taken.note("x", lacking(), busy()), Came::Again(busy()));
            assert_eq!(lacking(), std::slice::from_ref(&b));
            assert_eq!(taken.lacking("y", both().iter()).len(), 2);
        }
        assert_eq!(
            taken.note("x", lacking(), busy()),
            Came::But(busy()),
            "it has been long enough"
        );
        taken.note("x", both(), busy());
        assert_eq!(taken.note("x", lacking(), vec![]), Came::All);
        let none = || vec![unserved("a", 550), unserved("b", 451)];
        assert_eq!(taken.note("x", both(), none()), Came::None(none()));
        assert_eq!(lacking(), both());
    }
}

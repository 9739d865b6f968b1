//! Incidents that come and go: told so once, in the place of each time.

use crate::health::Health;

/// The third opening within the window flaps.
const OPENINGS: usize = 3;
/// So does what was told of so often within the window.
const TOLD: usize = 6;

/// Whether an incident flaps that opens after so many others of its subject within the window, or of
/// which so much was told in it. A window of 0 damps nothing.
pub fn flaps(openings: usize, told: usize, window: i64) -> bool {
    window > 0 && (openings >= OPENINGS || told >= TOLD)
}

/// How the subject of an incident that flaps was seen last, and since when it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its health; all that is no problem is `healthy`.
    pub health: Health,
    /// Since when, in milliseconds.
    pub since: i64,
}

/// What is done about an incident that flaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Keep,
    /// Written down how it is seen from now on.
    Note(Seen),
    /// Told that it is worse than was told before.
    Worsen,
    /// Told that it has been better for a while, and is not well.
    Improve,
    /// Told that it is over: it has been well for a while.
    Close,
}

/// What is done about an incident that flaps, of which `told` was told last, when its subject is looked
/// at. What gets worse is told at once; all else when it has stayed so for the window.
pub fn damp(told: Health, seen: Option<Seen>, health: Health, now: i64, window: i64) -> Act {
    let health = if health.is_problem() { health } else { Health::Healthy };
    if health > told {
        return Act::Worsen;
    }
    match seen {
        // A time that is to come is a clock's that was set back.
        Some(seen) if seen.health == health && seen.since <= now => {
            let steady = now - seen.since >= window;
            match (steady, health == Health::Healthy) {
                (true, true) => Act::Close,
                (true, false) if health != told => Act::Improve,
                _ => Act::Keep,
            }
        }
        _ => Act::Note(Seen { health, since: now }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: i64 = 60;

    /// An indexer that knows nothing but this, and all that it told: when, and how it then was.
    #[derive(Default)]
    struct Teller {
        told: Vec<(i64, Health)>,
        openings: Vec<i64>,
        open: Option<Open>,
    }

    struct Open {
        told: Health,
        since: usize,
        flapping: bool,
        seen: Option<Seen>,
    }

    impl Teller {
        fn look(&mut self, health: Health, now: i64) {
            let begun = self.told.len();
            let recent = |at: &i64| *at > now - WINDOW;
            match &mut self.open {
                None if health.is_problem() => {
                    self.openings.push(now);
                    let openings = self.openings.iter().filter(|at| recent(at)).count();
                    let flapping = flaps(openings, 0, WINDOW);
                    self.open = Some(Open { told: health, since: begun, flapping, seen: None });
                    self.told.push((now, health));
                }
                None => {}
                Some(open) if open.flapping => {
                    match damp(open.told, open.seen, health, now, WINDOW) {
                        Act::Keep => {}
                        Act::Note(seen) => open.seen = Some(seen),
                        Act::Worsen | Act::Improve => {
                            (open.told, open.seen) = (health, None);
                            self.told.push((now, health));
                        }
                        Act::Close => {
                            self.open = None;
                            self.told.push((now, Health::Healthy));
                        }
                    }
                }
                Some(_) if !health.is_problem() => {
                    self.open = None;
                    self.told.push((now, Health::Healthy));
                }
                Some(open) if open.told != health => {
                    open.told = health;
                    let told = self.told[open.since..].iter().filter(|(at, _)| recent(at)).count();
                    open.flapping = flaps(0, told, WINDOW);
                    self.told.push((now, health));
                }
                Some(_) => {}
            }
        }
    }

    fn healths() -> impl Strategy<Value = Vec<(Health, i64)>> {
        let health = prop::sample::select(&[Health::Healthy, Health::Degraded, Health::Lost][..]);
        prop::collection::vec((health, 1..20_i64), 1..200)
    }

    proptest! {
        #[test]
        fn few_alerts_come_in_any_window_and_the_last_is_true_in_the_end(story in healths()) {
            let mut teller = Teller::default();
            let mut now = 1_000;
            for (health, pause) in &story {
                teller.look(*health, now);
                now += pause;
            }
            // Two that open and end before the third flaps, each told of six times and then so; the third
            // told as opened, worsened, improved and worsened again.
            let most = 2 * (TOLD + 4) + 4;
            for (at, _) in &teller.told {
                let within = teller.told.iter().filter(|(other, _)| (*at..*at + WINDOW).contains(other));
                prop_assert!(within.count() <= most, "{:?}", teller.told);
            }
            // Once it stays as it is, that is told.
            let last = story.last().unwrap().0;
            for _ in 0..WINDOW + 2 {
                teller.look(last, now);
                now += 1;
            }
            let told = teller.told.last().map_or(Health::Healthy, |(_, health)| *health);
            prop_assert_eq!(told, last);
        }

        #[test]
        fn what_gets_worse_is_told_at_once(
            told in prop::sample::select(&[Health::Degraded, Health::Lost][..]),
            health in prop::sample::select(Health::ALL),
            since in 0..200_i64,
        ) {
            let seen = Some(Seen { health: Health::Healthy, since });
            let act = damp(told, seen, health, 100, WINDOW);
            prop_assert_eq!(act == Act::Worsen, health == Health::Lost && told == Health::Degraded);
            if act == Act::Close {
                prop_assert!(!health.is_problem() && 100 - since >= WINDOW);
            }
        }
    }

    #[test]
    fn the_third_opening_flaps_and_no_window_damps_nothing() {
        assert!(!flaps(2, 0, WINDOW) && flaps(3, 0, WINDOW) && flaps(1, 6, WINDOW));
        assert!(!flaps(99, 99, 0));
    }
}

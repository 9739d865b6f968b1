//! Which of those whom a router names for a content are asked: a pure function.

use std::collections::HashSet;

use url::Url;

use super::RowId;

/// Providers of one content that are asked because one router named them.
pub const MOST_OF_A_CONTENT: usize = 8;

/// One that has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) node: RowId,
    pub(super) url: String,
    /// It was asked and did not serve the content.
    pub(super) has_failed: bool,
    /// From where its bytes came, if it ever served the content.
    pub(super) address: Option<String>,
}

/// Who has the places now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Those that stay and were named again.
    pub(super) again: Vec<RowId>,
    /// Those that gave their places to others.
    pub(super) gone: Vec<RowId>,
    /// Those that have a place now.
    pub(super) new: Vec<String>,
}

/// Gives places to those who were named, `candidates`, in the order of a draw: first the free ones, then
/// those of such as were asked and failed. Whoever serves keeps its place, and whoever was not asked
/// yet is asked first. So a flood of names takes no place from those who serve, and who serves
/// comes to a place by chance, in time: with each answer others are drawn. However many ports and
/// paths a host is named by, an answer gives it one place, and none beside one that has not failed.
/// Names cost little: of those whose bytes came from one address, the first keeps its place, and the
/// others have failed.
pub(super) fn choose(held: &[Held], candidates: &[String]) -> Choice {
    let named: HashSet<&str> = candidates.iter().map(String::as_str).collect();
    let well = held.iter().filter(|one| !one.has_failed);
    let mut hosts: HashSet<String> = well.map(|one| host(&one.url)).collect();
    let urls: HashSet<&str> = held.iter().map(|one| one.url.as_str()).collect();
    let new = candidates.iter().filter(|url| !urls.contains(url.as_str()));
    let new = new.filter(|url| hosts.insert(host(url)));
    let mut addresses = HashSet::new();
    let mut is_known = |address: &str| !addresses.insert(address.to_owned());
    let has_failed =
        |one: &&Held| one.has_failed || one.address.as_deref().is_some_and(&mut is_known);
    let mut failed: Vec<&Held> = held.iter().filter(has_failed).collect();
    // Those who are named no more go first.
    failed.sort_by_key(|one| named.contains(one.url.as_str()));
    let free = MOST_OF_A_CONTENT.saturating_sub(held.len());
    let new: Vec<String> = new.take(free + failed.len()).cloned().collect();
    let gone: Vec<RowId> =
        failed.iter().take(new.len().saturating_sub(free)).map(|one| one.node).collect();
    let again = held.iter().filter(|one| named.contains(one.url.as_str()));
    let again = again.map(|one| one.node).filter(|node| !gone.contains(node)).collect();
    Choice { again, gone, new }
}

fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(node: RowId, has_failed: bool) -> Held {
        Held { node, url: url(node), has_failed, address: None }
    }

    fn url(number: i64) -> String {
        format!("http://1.2.3.{number}:80")
    }

    #[test]
    fn those_who_failed_give_way_and_no_others() {
        let all: Vec<_> = (1..=8).map(|node| held(node, node > 6)).collect();
        let choice = choose(&all, &[url(8), url(20), url(21), url(22), url(1)]);
        assert_eq!(choice.new, [url(20), url(21)]);
        assert_eq!(choice.gone, [7, 8], "the one that is named no more first");
        assert_eq!(choice.again, [1]);
        let choice = choose(&all, &[url(8), url(20)]);
        assert_eq!((choice.new, choice.gone, choice.again), (vec![url(20)], vec![7], vec![8]));
    }

    #[test]
    fn a_host_has_one_place() {
        let ports: Vec<_> = (1..60).map(|port| format!("http://1.2.3.4:{port}/x")).collect();
        assert_eq!(choose(&[], &ports).new, ports[..1]);
        let known = |failed| Held { url: "http://1.2.3.4:9999".to_owned(), ..held(1, failed) };
        assert_eq!(choose(&[known(false)], &ports), Choice::default());
        assert_eq!(
            choose(&[known(true)], &ports).new,
            ports[..1],
            "a wrong port keeps out no other"
        );
    }

    #[test]
    fn an_address_keeps_one_place() {
        let at = |node, address: Option<&str>| Held {
            address: address.map(str::to_owned),
            ..held(node, false)
        };
        let mut all: Vec<_> = (1..=5).map(|node| at(node, Some("5.6.7.8"))).collect();
        all.extend([at(6, Some("5.6.7.9")), at(7, None), at(8, None)]);
        let many: Vec<_> = (20..40).map(url).collect();
        let choice = choose(&all, &many);
        assert_eq!(choice.gone, [2, 3, 4, 5], "the first, another, and who was not asked yet stay");
        assert_eq!(choice.new, many[..4]);
        // It holds no place of another's that it had before.
        all[0].has_failed = true;
        assert_eq!(choose(&all, &many).gone, [1, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn never_more_than_there_are_places(
            before in prop::collection::btree_map(0i64..60, any::<bool>(), 0..=MOST_OF_A_CONTENT),
            named in prop::collection::vec(0i64..60, 0..40),
        ) {
            let before: Vec<_> = before.into_iter().map(|(node, failed)| held(node, failed)).collect();
            let named: Vec<_> = named.into_iter().map(url).collect();
            let choice = choose(&before, &named);
            prop_assert!(before.len() + choice.new.len() - choice.gone.len() <= MOST_OF_A_CONTENT);
            for one in before.iter().filter(|one| !one.has_failed) {
                prop_assert!(!choice.gone.contains(&one.node), "whoever serves, or was not asked, stays");
                prop_assert_eq!(choice.again.contains(&one.node), named.contains(&one.url));
            }
            prop_assert!(choice.gone.is_empty() || choice.new.len() >= choice.gone.len());
        }
    }
}

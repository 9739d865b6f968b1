//! Chains: `[chain]` for one, `[[chain]]` for several.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use url::Url;

use super::{ChainConfig, CollectionConfig, Config, ConfigError, FactoryConfig};

/// Reads one table, or an array of tables. No untagged enum: its errors know neither line nor key.
pub(super) fn one_or_several<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ChainConfig>, D::Error> {
    struct OneOrSeveral;

    impl<'de> Visitor<'de> for OneOrSeveral {
        type Value = Vec<ChainConfig>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one table [chain], or several [[chain]]")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            ChainConfig::deserialize(MapAccessDeserializer::new(map)).map(|chain| vec![chain])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }

    deserializer.deserialize_any(OneOrSeveral)
}

fn invalid<T>(text: String) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid(text))
}

impl Config {
    /// The only chain, or the one with this id. One that does not say its id may be any: what its
    /// endpoints say decides then.
    ///
    /// # Errors
    /// Where no configured chain has the id, or there are several and none is chosen.
    pub fn chain_of(&self, chain_id: Option<u64>) -> Result<&ChainConfig, ConfigError> {
        match self.place_of(chain_id)? {
            Some(chain) => Ok(chain),
            None => invalid("no [chain] is configured".to_owned()),
        }
    }

    fn place_of(&self, chain_id: Option<u64>) -> Result<Option<&ChainConfig>, ConfigError> {
        let Some(id) = chain_id else {
            return match self.chain.as_slice() {
                [_, _, ..] => invalid(format!(
                    "several [[chain]] are configured ({}): --chain-id N says which one it is about",
                    self.chain_ids()
                )),
                chains => Ok(chains.first()),
            };
        };
        match self.chain.iter().find(|chain| chain.chain_id.is_none_or(|its| its == id)) {
            Some(chain) => Ok(Some(chain)),
            None => invalid(format!(
                "no [[chain]] with chain_id = {id} is configured, only {}",
                self.chain_ids()
            )),
        }
    }

    /// Puts other endpoints in the place of those of the only chain, or of the one with this id.
    ///
    /// # Errors
    /// As [`Config::chain_of`].
    pub fn set_rpc(&mut self, rpc: &[Url], chain_id: Option<u64>) -> Result<(), ConfigError> {
        if chain_id.is_none() && self.chain.len() > 1 {
            return invalid(format!(
                "several [[chain]] are configured ({}), and --rpc is of one: commands that are about \
                 one chain take --chain-id N beside it; for the others, write it into the file",
                self.chain_ids()
            ));
        }
        let its_id = self.chain_of(chain_id)?.chain_id;
        if let Some(chain) = self.chain.iter_mut().find(|chain| chain.chain_id == its_id) {
            chain.rpc = rpc.to_vec();
        }
        Ok(())
    }

    /// The collections of a chain; of the only one where they name none.
    pub fn collections_of(&self, chain: &ChainConfig) -> Vec<CollectionConfig> {
        let its = |one: &&CollectionConfig| {
            self.chain.len() < 2 || (one.chain_id.is_some() && one.chain_id == chain.chain_id)
        };
        self.collection.iter().filter(its).cloned().collect()
    }

    /// The factories of a chain; of the only one where they name none.
    pub fn factories_of(&self, chain: &ChainConfig) -> Vec<FactoryConfig> {
        let its = |one: &&FactoryConfig| {
            self.chain.len() < 2 || (one.chain_id.is_some() && one.chain_id == chain.chain_id)
        };
        self.factory.iter().filter(its).cloned().collect()
    }

    /// Finds chains that can't be told apart, and what is of none of them.
    pub(super) fn check_chains(&self) -> Result<(), ConfigError> {
        if self.chain.is_empty() {
            return invalid("no [chain] is configured".to_owned());
        }
        if self.chain.len() > 1 {
            let mut seen = BTreeSet::new();
            for chain in &self.chain {
                match chain.chain_id {
                    Some(id) if !seen.insert(id) => {
                        return invalid(format!(
                            "two [[chain]] have chain_id = {id}: endpoints of one chain go into one \
                             `rpc`"
                        ));
                    }
                    Some(_) => {}
                    None => {
                        return invalid(format!(
                            "several [[chain]] are configured, and the one with rpc {} has no \
                             chain_id: each needs its own",
                            shown(chain)
                        ));
                    }
                }
            }
        }
        for collection in &self.collection {
            self.check_chain_of("collection", &collection.address, collection.chain_id)?;
        }
        for factory in &self.factory {
            let address = factory.address.map_or_else(String::new, |address| address.to_string());
            self.check_chain_of("factory", &address, factory.chain_id)?;
        }
        Ok(())
    }

    /// Whether it is clear on which of the chains something is.
    fn check_chain_of(
        &self,
        table: &str,
        address: &dyn fmt::Display,
        chain_id: Option<u64>,
    ) -> Result<(), ConfigError> {
        match chain_id {
            None if self.chain.len() > 1 => invalid(format!(
                "several [[chain]] are configured ({}), and [[{table}]] {address} does not say \
                 which it is on: add chain_id = N",
                self.chain_ids()
            )),
            None => Ok(()),
            Some(id) if self.chain.iter().any(|c| c.chain_id.is_none_or(|its| its == id)) => Ok(()),
            Some(id) => invalid(format!(
                "[[{table}]] {address} is on chain_id = {id}, and no [[chain]] has that: {} is \
                 configured",
                self.chain_ids()
            )),
        }
    }

    /// The chain ids that are configured, for a person.
    fn chain_ids(&self) -> String {
        let ids: Vec<_> =
            self.chain.iter().filter_map(|c| c.chain_id).map(|id| id.to_string()).collect();
        format!("chain_id {}", ids.join(", "))
    }
}

/// The host of a chain's first endpoint: its URL may hold a key.
fn shown(chain: &ChainConfig) -> String {
    let host = chain.rpc.first().and_then(|url| url.host_str());
    host.map_or_else(|| "[]".to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const A: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        let config = Config::parse(Path::new("x"), text)?;
        config.check().map(|()| config)
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    fn two(more: &str) -> String {
        format!(
            "[[chain]]\nchain_id = 1\nrpc = [\"http://a:1\"]\nconfirmations = 3\n\
             [[chain]]\nchain_id = 10\nrpc = [\"http://b:2\"]\npoll = \"7s\"\n{more}"
        )
    }

    #[test]
    fn one_chain_is_a_table_and_several_are_an_array() {
        let one = parse("[chain]\nconfirmations = 5\n").unwrap();
        assert_eq!((one.chain.len(), one.chain[0].confirmations), (1, 5));
        assert_eq!(parse("").unwrap().chain.len(), 1, "the default");
        let array = parse("[[chain]]\nconfirmations = 5\n").unwrap();
        assert_eq!((array.chain.len(), array.chain[0].confirmations), (1, 5));
        let config = parse(&two("")).unwrap();
        let said: Vec<_> = config
            .chain
            .iter()
            .map(|c| (c.chain_id, c.confirmations, c.poll.0.as_secs()))
            .collect();
        assert_eq!(said, [(Some(1), 3, 2), (Some(10), 12, 7)]);
        let asked: Vec<_> = config.origins().take(2).map(|url| url.port()).collect();
        assert_eq!(asked, [Some(1), Some(2)], "both may be asked");
    }

    #[test]
    fn names_line_and_key_in_either_form() {
        assert!(error("[chain]\nrpc = []\npoll = \"soon\"\n").starts_with("x:3: poll: `soon`"));
        assert!(error("[chain]\ncolor = 1\n").starts_with("x:2: unknown field `color`"));
        let text = "[[chain]]\nrpc = []\n[[chain]]\nconfirmations = \"x\"\n";
        assert!(error(text).starts_with("x:4: confirmations: invalid type"), "{}", error(text));
        assert!(error("chain = 3\n").contains("one table [chain], or several [[chain]]"));
        assert!(error("[[chain]]\n[[chain]]\ncolor = 1\n").starts_with("x:3: unknown field"));
    }

    #[test]
    fn every_collection_is_on_one_of_the_chains() {
        let collection = |more: &str| format!("[[collection]]\naddress = \"{A}\"\n{more}\n");
        let config = parse(&two(&(collection("chain_id = 10") + &collection("chain_id = 1"))));
        let config = config.unwrap();
        for chain in &config.chain {
            let its = config.collections_of(chain);
            assert_eq!((its.len(), its[0].chain_id), (1, chain.chain_id));
        }
        let missing = error(&two(&collection("")));
        assert!(missing.contains(A) && missing.contains("add chain_id = N"), "{missing}");
        let other = error(&two(&collection("chain_id = 5")));
        assert!(other.contains("chain_id = 5") && other.contains("1, 10"), "{other}");
        let factory = error(&two("[[factory]]\n"));
        assert!(factory.contains("[[factory]]") && factory.contains("add chain_id"), "{factory}");
        let config = parse(&two("[[factory]]\nchain_id = 10\nstart_block = 7\n")).unwrap();
        let of = |place: usize| config.factories_of(&config.chain[place]);
        assert_eq!((of(0).len(), of(1)[0].start_block), (0, 7));
        let other = error(&format!("[chain]\nchain_id = 1\n{}", collection("chain_id = 5")));
        assert!(other.contains("no [[chain]] has that"), "{other}");
        let one = parse(&collection("")).unwrap();
        assert_eq!(one.collections_of(&one.chain[0]).len(), 1);
    }

    #[test]
    fn several_chains_say_their_ids_and_differ() {
        let same = error("[[chain]]\nchain_id = 1\n[[chain]]\nchain_id = 1\n");
        assert!(same.contains("two [[chain]] have chain_id = 1"), "{same}");
        let none = "[[chain]]\nchain_id = 1\n[[chain]]\nrpc = [\"http://b:2/secret\"]\n";
        let none = error(none);
        assert!(none.contains("rpc b has no chain_id") && !none.contains("secret"), "{none}");
        assert!(error("chain = []\n").contains("no [chain]"));
    }

    #[test]
    fn a_chain_is_chosen_by_its_id() {
        let mut config = parse(&two("")).unwrap();
        let url = |text: &str| text.parse::<Url>().unwrap();
        assert!(config.chain_of(None).unwrap_err().to_string().contains("--chain-id N"));
        assert!(config.chain_of(Some(5)).unwrap_err().to_string().contains("chain_id = 5"));
        assert_eq!(config.chain_of(Some(10)).unwrap().rpc, [url("http://b:2")]);
        let unclear = config.set_rpc(&[url("http://c:3")], None).unwrap_err().to_string();
        assert!(unclear.contains("--rpc is of one"), "{unclear}");
        config.set_rpc(&[url("http://c:3")], Some(1)).unwrap();
        assert_eq!(config.chain_of(Some(1)).unwrap().rpc, [url("http://c:3")]);
        assert_eq!(config.chain_of(Some(10)).unwrap().rpc, [url("http://b:2")]);
        let mut one = parse("").unwrap();
        one.set_rpc(&[url("http://c:3")], Some(7)).unwrap();
        assert_eq!(one.chain_of(None).unwrap().rpc, [url("http://c:3")], "it may be chain 7");
    }
}

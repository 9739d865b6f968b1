//! Who can be asked for content by its address.

use everhold_net::{Fetcher, Url};

use super::{
    Answer, Verdict, Way, blocks,
    bytes::{self, shown},
};
use crate::{
    config::Config,
    content::{Cid, DagLimits, Reference, ReferenceClass, Walk},
    nodes::{BlockNode, Gateway, Kubo, join},
};

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// An aleph node.
    Aleph,
    /// An IPFS gateway.
    Gateway,
    /// A Kubo node, by its RPC.
    Kubo,
}

/// Somebody who can be asked for content by its address.
#[derive(Clone, Debug)]
pub struct Source {
    kind: SourceKind,
    url: Url,
    fetcher: Fetcher,
}

impl Source {
    /// The source at a base URL.
    pub fn new(kind: SourceKind, url: Url, fetcher: Fetcher) -> Self {
        Self { kind, url, fetcher }
    }

    /// Every source of a configuration: aleph nodes, gateways, Kubo nodes.
    pub fn configured(config: &Config, fetcher: &Fetcher) -> Vec<Self> {
        let of = |kind| move |url: &Url| Self::new(kind, url.clone(), fetcher.clone());
        let urls = |nodes: &[crate::config::NodeConfig]| -> Vec<Url> {
            nodes.iter().map(|node| node.url.clone()).collect()
        };
        let mut sources: Vec<Self> = Vec::new();
        sources.extend(urls(config.aleph.named()).iter().map(of(SourceKind::Aleph)));
        sources.extend(urls(&config.ipfs.gateways).iter().map(of(SourceKind::Gateway)));
        sources.extend(urls(&config.ipfs.kubo).iter().map(of(SourceKind::Kubo)));
        sources
    }

    /// The source that a URL is of, which carries a content address.
    pub(super) fn of_url(url: &Url, reference: &Reference, web: &Fetcher) -> Option<Self> {
        let kind = match reference.class {
            ReferenceClass::Aleph => SourceKind::Aleph,
            ReferenceClass::Gateway => SourceKind::Gateway,
            _ => return None,
        };
        let mut base = url.clone();
        base.set_query(None);
        base.set_fragment(None);
        let host = base.host_str().unwrap_or_default().to_owned();
        if let Some((label, rest)) = host.split_once(".ipfs.")
            && label.parse::<Cid>().ok() == reference.cid
        {
            // The CID is in the host: the same gateway has it in a path, too.
            base.set_host(Some(rest)).ok()?;
            base.set_path("");
        } else {
            let mark = if kind == SourceKind::Aleph { "/api/v0/storage/raw/" } else { "/ipfs/" };
            let above = base.path().find(mark).map(|at| base.path()[..at].to_owned())?;
            base.set_path(&above);
        }
        Some(Self::new(kind, base, web.clone()))
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// Whether it can be asked for this at all.
    pub(super) fn may_have(&self, reference: &Reference) -> bool {
        match self.kind {
            SourceKind::Aleph => reference.content().is_some(),
            SourceKind::Gateway => {
                reference.cid.is_some() || reference.class == ReferenceClass::Ipns
            }
            SourceKind::Kubo => reference.cid.is_some(),
        }
    }

    /// Where it has what an IPNS name points to.
    pub(super) fn ipns(&self, reference: &Reference) -> Option<Url> {
        if self.kind != SourceKind::Gateway {
            return None;
        }
        let mut url = join(&self.url, "ipns");
        let below = reference.path.iter().flat_map(|path| path.split('/'));
        url.path_segments_mut().ok()?.push(reference.id.as_deref()?).extend(below);
        Some(url)
    }

    /// Fetches content, and checks it in the way that proves the most.
    pub(super) async fn ask(&self, cid: &Cid, path: &[&str], max: u64, keep: usize) -> Answer {
        match self.kind {
            SourceKind::Aleph => self.ask_aleph(cid, max, keep).await,
            SourceKind::Gateway => self.ask_gateway(cid, path, max, keep).await,
            SourceKind::Kubo => self.ask_kubo(cid, path, max, keep).await,
        }
    }

    fn begin(&self, way: Way) -> Answer {
        Answer::begin(shown(&self.url), way)
    }

    async fn ask_aleph(&self, cid: &Cid, max: u64, keep: usize) -> Answer {
        let answer = self.begin(Way::Bytes);
        let Some(id) = cid.content_id() else {
            return answer.because("aleph nodes know no such content addresses");
        };
        let url = join(&self.url, &format!("api/v0/storage/raw/{}", id.aleph_hash()));
        let request = self.fetcher.get(url).limit(max);
        match bytes::content(request, answer, cid, keep).await {
            Ok(answer) | Err(answer) => answer,
        }
    }

    async fn ask_gateway(&self, cid: &Cid, path: &[&str], max: u64, keep: usize) -> Answer {
        let limits = DagLimits { file_bytes: max, ..DagLimits::default() };
        let gateway = Gateway::new(self.url.clone(), self.fetcher.clone()).anywhere();
        let is_dag = cid.codec_name() == "dag-pb";
        if !is_dag && path.is_empty() {
            // One block, or a file of any size whose hash is its name.
            let answer = self.begin(Way::Bytes);
            let plain = gateway.file(cid, path).limit(max);
            return match bytes::content(gateway.block(cid).limit(max), answer, cid, keep).await {
                Ok(answer) => answer,
                Err(answer) => match bytes::content(plain, answer, cid, keep).await {
                    Ok(answer) | Err(answer) => answer,
                },
            };
        }
        let walk = Walk::new(*cid, path, limits);
        let car = self.begin(Way::Car);
        // An archive is larger than its file: by a tenth where blocks are as small as 1 kB.
        let archive = gateway.archive(cid, path).map(|it| it.limit(max.saturating_mul(2)));
        if let Some(archive) = archive
            && let Ok(answer) =
                blocks::archive(&gateway, archive, car, walk.clone(), &limits, keep).await
        {
            return answer;
        }
        let one = self.begin(Way::Blocks);
        let none = match blocks::one_by_one(&gateway, one, walk, &limits, keep).await {
            Ok(answer) => return answer,
            Err(answer) => answer,
        };
        let plain = gateway.file(cid, path).limit(max);
        if path.is_empty() {
            let answer = self.begin(Way::Bytes);
            return match bytes::content(plain, answer, cid, keep).await {
                Ok(answer) | Err(answer) => answer,
            };
        }
        // What a gateway says lies at a path proves nothing without the folder's blocks.
        let served = bytes::served(&self.fetcher, gateway.at(cid, path), max, keep).await;
        match served.verdict {
            Verdict::Served => Answer {
                verdict: Verdict::Unproved,
                source: none.source.clone(),
                ..served.because("it gives no blocks, so that the path can't be proved")
            },
            _ => served,
        }
    }

    async fn ask_kubo(&self, cid: &Cid, path: &[&str], max: u64, keep: usize) -> Answer {
        let limits = DagLimits { file_bytes: max, ..DagLimits::default() };
        let kubo = Kubo::new(self.url.clone(), self.fetcher.clone());
        let walk = Walk::new(*cid, path, limits);
        let answer = self.begin(Way::Blocks);
        match blocks::one_by_one(&kubo, answer, walk, &limits, keep).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

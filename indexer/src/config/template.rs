//! What `everhold init` writes.

/// A commented configuration whose values are the defaults.
pub const TEMPLATE: &str = r#"# Everhold's settings. What is commented out shows an example; every other value is the default.
# Each can be set in the environment too: EVERHOLD_DATABASE, EVERHOLD_CHAIN_RPC, EVERHOLD_REPLICAS_MIN, …

database = "sqlite://everhold.db"       # or "postgres://user:password@host/name"

[chain]                                 # several chains: a block [[chain]] each, with its chain_id
# chain_id = 1                          # endpoints of another chain are refused; needed where there are several
rpc = ["http://127.0.0.1:8545"]         # several endpoints of one chain are compared; ws:// and wss:// tell of blocks at once
prove_logs = false                      # or true: prove each block's logs by its header; many more requests
confirmations = 12                      # blocks after which a block counts as final; never delays indexing
finality = "confirmations"              # or "safe", "finalized": the chain's own marks
poll = "2s"                             # how often the head is asked for

# One block a collection: ours (`everhold deploy` prints it), or any ERC-721 or ERC-1155.
# [[collection]]
# address = "0x…"
# chain_id = 1                          # only where there are several chains
# start_block = 0                       # the block it was deployed in, or an earlier one
# standard = "erc721"                   # or "erc1155", "everhold"; left out: found out by asking the contract

# Collections of a factory are picked up as they are made.
# [[factory]]
# address = "0x…"                       # left out: the one that `everhold deploy` goes by
# chain_id = 1                          # only where there are several chains
# start_block = 0                       # the block it was deployed in, or a later one
# creators = ["0x…"]                    # whose collections are watched; left out: everybody's

[aleph]
# nodes = ["http://node-a:4024", { url = "http://node-b:4024", operator = "acme" }] # left out: found by the network's list
network = ["https://api.aleph.im", "https://api2.aleph.im", "https://api3.aleph.im"] # asked for that list; most must agree
sample = 10                             # nodes of the list that are used, one of an owner; 0: one of each owner
refresh = "6h"                          # how often the list is read
private_hosts = []                      # URLs of nodes of the list that may be on private addresses
channel = "EVERHOLD"
payment = "credit"                      # or "hold" (refused by the network from 2027-01-01 on)
credits_per_mib_hour = 0.1797           # the network's price: what a STORE costs, of at least 25 MiB
provenance = "24h"                      # how often nodes are asked which STOREs keep each content; "0s": every round

[ipfs]
gateways = []                           # e.g. ["https://gateway.example"]: asked for /ipfs/CID
kubo = []                               # RPC URLs of Kubo nodes
routing = []                            # e.g. ["https://delegated-ipfs.dev"]: asked who announces content; a claim
kubo_routing = []                       # RPC URLs of Kubo nodes that are asked the same (findprovs)
private_hosts = []                      # URLs of announced providers that may be on private addresses

# Pinning services: what they say to have pinned is a claim, and no replica.
# [[pinning]]
# url = "https://pins.example/api"      # asked for /pins
# token_file = "pins.token"
# operator = "acme"

[replicas]
min = 3                                 # independent verified replicas a content needs
min_held = 0                            # how many of them the node itself must be proved to hold
grace = "10m"                           # how long after a mint content may still be on its way
recheck = "24h"                         # how often each replica is probed; "0s": every round
history = "drop"                        # or "keep": content of earlier revisions, once the update is final
evidence = "2160h"                      # how long what probes saw of content is kept once it is probed no longer

[probes]                                # how much may be asked of nodes; 0: as much as one likes
per_node = 16                           # probes under way at once at one node
node_requests_per_second = 100          # probes a second at one node, on average
node_bytes_per_second = 0               # bytes a second from one node
requests_per_second = 0                 # at all nodes together
bytes_per_second = 0
spot_check = "6h"                       # how often a few blocks of large files are looked at between full probes; "0s": never

[repair]
enabled = true
# keystore = "repair-key.json"          # or private_key_file: signs and pays for STORE messages
# password_file = "repair-key.password" # or EVERHOLD_KEYSTORE_PASSWORD
# account = "0x…"                       # pays instead of the key, which it lets sign for it: `everhold delegate`
wait = "30s"                            # how long a node gets to fetch before it is sent the bytes
pin_wait = "6h"                         # how long a pinning service gets until its pin is seen to help
max_size = 1073741824                   # bytes; larger content is not repaired
dry_run = false                         # or true: it is only said what would be done, and what it would cost
credits_last = "168h"                   # the account's credits must last as long, or people are told

[repair.budget]                         # what is left out is not capped; 0 is nothing
# actions = 5000                        # in any hour
# bytes = 10737418240                   # sent in any hour
# credits = 450.0                       # an hour, of STOREs signed in any hour: one costs at least 4.4925
# recurring = 4500.0                    # an hour, of all STOREs signed here

# The same for each collection, each token, and each owner over all their tokens.
# [repair.budget.collection]
# [repair.budget.token]
# [repair.budget.owner]
# bytes = 1073741824

[vault]                                 # a local copy of verified content, from which lost content is restored
# path = "everhold-vault"               # the folder it is in
keep = false                            # or true: `watch` copies verified content into it
max_bytes = 10737418240                 # bytes of all that it holds; what most nodes have goes first
max_object = 1073741824                 # bytes of one content; larger content is not copied
recheck = "168h"                        # how often what it holds is hashed again
# s3 = { bucket = "name", endpoint = "https://…", region = "us-east-1", prefix = "", access_key_file = "…", secret_key_file = "…" } # in the place of a folder

[deny]
files = []                              # with an id (64 hex digits or a CID) and a reason a line: never fetched or stored

[incidents]
window = "1h"                           # what comes and goes within this is not told each time; "0s": it is

# A block a sink, each with one of webhook, slack, discord, telegram, pagerduty, alertmanager, email.
# [[alert]]
# webhook = "https://…"                 # or webhook_file = "…": a file with the URL; so for slack, discord, alertmanager
# secret_file = "webhook.secret"        # HMAC-SHA256 over the body, in X-Everhold-Signature
# [[alert]]
# slack_file = "slack.url"              # an incoming webhook's URL, which is a secret
# name = "team"                         # what `everhold alert test` and the log call it
# severity = "warning"                  # the least it is told of: "info", "warning" or "critical"; left out: everything
# collections = ["0x…"]                 # left out: all
# kinds = ["content", "halted"]         # of "content", "path", "removal", "halted"; left out: all
# [[alert]]
# telegram = { chat = "-100…", token_file = "telegram.token" }
# [[alert]]
# pagerduty = { routing_key_file = "pagerduty.key" } # url = "https://events.eu.pagerduty.com": the European region
# [[alert]]
# alertmanager = "http://127.0.0.1:9093"
# [[alert]]
# email = { to = ["art@example.org"], from = "everhold@example.org", smtp = "smtps://mail.example.org", username = "everhold", password_file = "mail.password" }

[api]
# listen = "127.0.0.1:8080"             # where `everhold watch` answers
# url = "https://everhold.example.org"  # how others reach that, for the links of alerts; left out: alerts name commands

[web]
private_hosts = []                      # URLs of hosts on private addresses that metadata may lead to

[limits]
connect_timeout = "5s"
# first_byte_timeout = "15s"            # until an answer begins; left out: idle_timeout
idle_timeout = "15s"                    # until the next byte comes
total_timeout = "15m"                   # for one whole fetch
max_content = 4294967296                # bytes; larger content is not fetched
concurrency = 32                        # probes under way at once
max_redirects = 5                       # followed on the open web; nodes, RPCs and webhooks get none
per_host = 8                            # requests at once to a host that is not configured
per_node = 64                           # requests at once to a configured node, RPC or webhook
requests = 256                          # requests at once altogether
"#;

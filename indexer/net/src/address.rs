//! Which addresses are anyone's, and which are ours or nobody's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the public internet: globally reachable unicast after the IANA
/// special-purpose registries (RFC 6890, RFC 8190), and no cloud's metadata service.
///
/// IPv4 within IPv6 counts as the IPv4 that a packet would end at, where that is how it is routed:
/// IPv4-mapped (RFC 4291, section 2.5.5.2) and the well-known NAT64 prefix `64:ff9b::/96`
/// (RFC 6052), which is all that an IPv6-only network has of IPv4. The tunnels of old, 6to4
/// (RFC 3056) and Teredo (RFC 4380), and IPv4-compatible addresses (RFC 4291, section 2.5.5.1) are
/// refused whatever is in them: no public server needs them.
///
/// ```
/// assert!(everhold_net::is_public("1.1.1.1".parse().unwrap()));
/// assert!(!everhold_net::is_public("::ffff:169.254.169.254".parse().unwrap()));
/// ```
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Networks (address, length of prefix) that are not of the public IPv4 internet.
const SPECIAL_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),          // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),         // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),      // CGNAT, RFC 6598; Alibaba's metadata in it
    (Ipv4Addr::new(127, 0, 0, 0), 8),        // loopback, RFC 1122
    (Ipv4Addr::new(168, 63, 129, 16), 32),   // Azure's platform, among public addresses
    (Ipv4Addr::new(169, 254, 0, 0), 16),     // link-local, RFC 3927; metadata in it
    (Ipv4Addr::new(172, 16, 0, 0), 12),      // private, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),       // IETF protocols, RFC 6890; Oracle's metadata in it
    (Ipv4Addr::new(192, 0, 2, 0), 24),       // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24),     // 6to4 relays, given up by RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),     // private, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),      // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),     // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),        // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),        // reserved, RFC 1112
    (Ipv4Addr::new(255, 255, 255, 255), 32), // broadcast, RFC 919
];

/// All public IPv6 is in this network (RFC 4291, section 2.4; IANA gave out nothing else), so
/// that only what is special within it need be named. `::`, `::1`, IPv4-compatible,
/// `64:ff9b:1::/48` (RFC 8215), `100::/64`, ULA (with `fd00:ec2::254`), link-local, site-local
/// and multicast are outside of it.
const UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    // IETF protocols, RFC 2928: Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),     // 6to4, RFC 3056
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // documentation, RFC 9637
];

const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    SPECIAL_V4.iter().all(|(network, length)| (bits ^ u32::from(*network)) >> (32 - length) != 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    if within(address, NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(address, UNICAST_V6) && !SPECIAL_V6.iter().any(|network| within(address, *network))
}

fn within(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (u128::from(address) ^ u128::from(network)) >> (128 - length) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn refuses_what_is_not_public() {
        for text in [
            // private, loopback, link-local, CGNAT, at both ends
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.255.255",
            "100.64.0.0",
            "100.127.255.255",
            // unspecified, this network, broadcast, reserved, multicast
            "0.0.0.0",
            "0.255.255.255",
            "255.255.255.255",
            "240.0.0.0",
            "224.0.0.1",
            "239.255.255.255",
            // documentation, benchmarking, protocols, relays
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.0",
            "198.19.255.255",
            "192.0.0.1",
            "192.88.99.1",
            // metadata
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            // IPv6
            "::",
            "::1",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "2001:db8::1",
            "3fff::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            // IPv4 within IPv6
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1:ffff::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn takes_what_is_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2003::1",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(public(text), "{text}");
        }
    }

    proptest! {
        /// What the standard library calls special is never public, and what is IPv4 is judged
        /// alike in each of its coats.
        #[test]
        fn agrees_with_the_standard_library(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_broadcast() || address.is_unspecified()
                || address.is_documentation();
            prop_assert!(!(special && is_public(address.into())));
            let judged = is_public(address.into());
            prop_assert_eq!(is_public(address.to_ipv6_mapped().into()), judged);
            let nat64 = Ipv6Addr::from(u128::from(NAT64.0) | u128::from(bits));
            prop_assert_eq!(is_public(nat64.into()), judged);
            prop_assert!(!is_public(Ipv6Addr::from(u128::from(bits)).into()));
            let six_to_four = (0x2002u128 << 112) | (u128::from(bits) << 80) | 1;
            prop_assert!(!is_public(Ipv6Addr::from(six_to_four).into()));
        }

        #[test]
        fn public_ipv6_is_global_unicast(bits: u128) {
            let address = Ipv6Addr::from(bits);
            let special = address.is_loopback() || address.is_unspecified()
                || address.is_multicast() || address.is_unique_local()
                || address.is_unicast_link_local();
            prop_assert!(!(special && is_public(address.into())));
            // A random address is hardly ever of the one network that is public: move it there.
            let inside = Ipv6Addr::from((bits >> 3) | (1 << 125));
            let embeds = matches!(inside.segments(), [0x2002, ..] | [0x2001, 0..=0x1ff, ..]
                | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..]);
            prop_assert_eq!(is_public(inside.into()), !embeds);
        }
    }
}

//! Which name an address votes for: two names of one address have one vote for it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// Who has which address. What is held is written whole, so that which a panicking
/// thread held is sound.
#[derive(Debug, Default)]
pub(super) struct Claims {
    held: Mutex<HashMap<SocketAddr, String>>,
}

impl Claims {
    /// `name` has these addresses now, and no others. Gives those that another name
    /// had first, and whose they are.
    pub(super) fn of(&self, name: &str, addresses: &[SocketAddr]) -> HashMap<SocketAddr, String> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|address, owner| owner != name || addresses.contains(address));
        let mut taken = HashMap::new();
        for address in addresses {
            let owner = held.entry(*address).or_insert_with(|| name.to_owned());
            if owner != name {
                taken.insert(*address, owner.clone());
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
    const OTHER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2);

    #[test]
    fn an_address_is_that_of_the_first_name_that_has_it() {
        let claims = Claims::default();
        assert!(claims.of("first", &[ONE]).is_empty());
        let taken = claims.of("second", &[ONE, OTHER]);
        assert_eq!(taken, HashMap::from([(ONE, "first".to_owned())]));
        assert!(claims.of("first", &[ONE]).is_empty(), "it is still its own");
    }

    #[test]
    fn an_address_that_a_name_has_no_more_is_free() {
        let claims = Claims::default();
        claims.of("first", &[ONE]);
        claims.of("first", &[OTHER]);
        assert!(claims.of("second", &[ONE]).is_empty());
    }
}

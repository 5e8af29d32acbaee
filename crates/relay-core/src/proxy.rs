//! The proxy that all traffic of an account goes through.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::secret::Secret;

/// What SOCKS 5 has room for, in bytes: one for the length of a user, one for that of a password.
pub const SOCKS_LOGIN_PART_MAX: usize = 255;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyScheme {
    /// HTTP `CONNECT`.
    Http,
    /// HTTP `CONNECT` within TLS.
    Https,
    /// SOCKS 5; names are looked up here.
    Socks5,
    /// SOCKS 5; names are looked up by the proxy.
    Socks5h,
}

impl ProxyScheme {
    /// The scheme as an address begins with it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Socks5 | Self::Socks5h => 1080,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "socks5" | "socks" => Some(Self::Socks5),
            "socks5h" => Some(Self::Socks5h),
            _ => None,
        }
    }
}

/// A proxy that all traffic of an account goes through, or none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub scheme: ProxyScheme,
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User and password, if it wants them.
    pub login: Option<(String, Secret)>,
}

/// Why a text is no proxy. It never repeats the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// No scheme, or one that is not spoken.
    #[error("a proxy begins with http://, https://, socks5:// or socks5h://")]
    Scheme,
    /// No host, or one that cannot be.
    #[error("the proxy's host is missing or malformed (an IPv6 address stands in brackets)")]
    Host,
    /// A port that is no port.
    #[error("the proxy's port is no number from 1 to 65535")]
    Port,
    /// A login that SOCKS 5 cannot carry.
    #[error("SOCKS 5 takes at most {SOCKS_LOGIN_PART_MAX} bytes of user and of password")]
    LoginTooLong,
}

impl Proxy {
    /// The whole address in its one canonical form, login included.
    pub fn to_url(&self) -> Secret {
        let login = self.login.as_ref().map_or_else(String::new, |(user, password)| {
            let user = utf8_percent_encode(user, ENCODED);
            let password = utf8_percent_encode(password.expose(), ENCODED);
            format!("{user}:{password}@")
        });
        Secret::new(format!("{}://{login}{}", self.scheme.as_str(), self.address()))
    }

    /// The address for showing: whether there is a login, but nothing of it.
    pub fn masked(&self) -> String {
        let login = if self.login.is_some() { "…@" } else { "" };
        format!("{}://{login}{}", self.scheme.as_str(), self.address())
    }

    /// Host and port, an IPv6 address in brackets.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Everything but what RFC 3986 calls unreserved.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl FromStr for Proxy {
    type Err = ProxyError;

    /// Takes logins as people paste them: percent-encoded or raw, with any characters. So the
    /// *last* `@` ends the login, and only what follows it is read as host, port and path.
    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(ProxyError::Scheme)?;
        let scheme = ProxyScheme::named(scheme).ok_or(ProxyError::Scheme)?;
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (read_login(login), place),
            None => (None, rest),
        };
        // A path means nothing to a proxy; many addresses are pasted with a `/` at the end.
        let place = place.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = read_place(place)?;
        let port = match port {
            Some(digits) => read_port(digits)?,
            None => scheme.default_port(),
        };
        let socks = matches!(scheme, ProxyScheme::Socks5 | ProxyScheme::Socks5h);
        let too_long = login.as_ref().is_some_and(|(user, password)| {
            user.len().max(password.expose().len()) > SOCKS_LOGIN_PART_MAX
        });
        if socks && too_long {
            return Err(ProxyError::LoginTooLong);
        }
        Ok(Self { scheme, host: host.to_owned(), port, login })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.masked())
    }
}

fn read_login(text: &str) -> Option<(String, Secret)> {
    if text.is_empty() {
        return None;
    }
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Some((decoded(user), Secret::new(decoded(password))))
}

/// Decodes `%XX` where it stands for something. What would be no text was never encoded.
fn decoded(text: &str) -> String {
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => decoded.into_owned(),
        Err(_) => text.to_owned(),
    }
}

/// Splits `host:port` into host without brackets and digits of the port.
fn read_place(place: &str) -> Result<(&str, Option<&str>), ProxyError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(ProxyError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| ProxyError::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(ProxyError::Host),
        };
    }
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(fits) {
        return Err(ProxyError::Host);
    }
    Ok((host, port))
}

fn read_port(digits: &str) -> Result<u16, ProxyError> {
    // `parse` alone would take a sign.
    let port = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    port.flatten().filter(|port| *port != 0).ok_or(ProxyError::Port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Proxy {
        text.parse().unwrap()
    }

    fn login(text: &str) -> (String, String) {
        let (user, password) = parsed(text).login.unwrap();
        (user, password.expose().to_owned())
    }

    fn place(text: &str) -> (ProxyScheme, String, u16) {
        let proxy = parsed(text);
        (proxy.scheme, proxy.host, proxy.port)
    }

    #[test]
    fn schemes_have_their_ports() {
        use ProxyScheme as S;
        assert_eq!(place("http://proxy"), (S::Http, "proxy".into(), 80));
        assert_eq!(place("HTTPS://proxy/"), (S::Https, "proxy".into(), 443));
        assert_eq!(place("Socks5://proxy"), (S::Socks5, "proxy".into(), 1080));
        assert_eq!(place("socks://proxy"), (S::Socks5, "proxy".into(), 1080));
        assert_eq!(place(" socks5h://10.0.0.1:9 "), (S::Socks5h, "10.0.0.1".into(), 9));
        assert_eq!(place("http://[::1]:3128/x?y"), (S::Http, "::1".into(), 3128));
        assert_eq!(place("http://u:p@[fe80::1]"), (S::Http, "fe80::1".into(), 80));
    }

    #[test]
    fn logins_may_hold_anything_encoded_or_raw() {
        let odd = ("us".to_owned(), "p@:/#?%空".to_owned());
        assert_eq!(login("socks5://us:p@:/#?%空@proxy:1080"), odd);
        assert_eq!(login("socks5://us:p%40%3A%2F%23%3F%25%E7%A9%BA@proxy:1080/"), odd);
        assert_eq!(login("http://a%3Ab:c@proxy"), ("a:b".to_owned(), "c".to_owned()));
        assert_eq!(login("http://us@proxy"), ("us".to_owned(), String::new()));
        assert_eq!(login("http://:p@proxy"), (String::new(), "p".to_owned()));
        assert_eq!(login("http://us:100%@proxy"), ("us".to_owned(), "100%".to_owned()));
        // Bytes that would be no text were meant as they stand.
        assert_eq!(login("http://us:%FF@proxy"), ("us".to_owned(), "%FF".to_owned()));
        assert!(parsed("http://@proxy").login.is_none());
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        let refused = |text: &str| text.parse::<Proxy>().unwrap_err();
        for text in ["", "proxy:8080", "ftp://u:p@proxy", "socks4://proxy", "://proxy"] {
            assert_eq!(refused(text), ProxyError::Scheme, "{text}");
        }
        for text in
            ["http://", "http://u:p@", "http://:80", "http://a b", "http://[::1", "http://::1"]
        {
            assert_eq!(refused(text), ProxyError::Host, "{text}");
        }
        for text in ["http://[::1]x", "http://[proxy]:80", "http://代理:80"] {
            assert_eq!(refused(text), ProxyError::Host, "{text}");
        }
        for text in ["http://p:", "http://p:0", "http://p:+1", "http://p:65536", "http://p:1:2"] {
            assert_eq!(refused(text), ProxyError::Port, "{text}");
        }
        let long = "x".repeat(SOCKS_LOGIN_PART_MAX + 1);
        assert_eq!(refused(&format!("socks5h://u:{long}@proxy")), ProxyError::LoginTooLong);
        assert_eq!(refused(&format!("socks5://{long}:@proxy")), ProxyError::LoginTooLong);
        assert!(format!("http://u:{long}@proxy").parse::<Proxy>().is_ok());
    }

    #[test]
    fn nothing_of_a_login_is_shown() {
        let proxy = parsed("socks5h://hidden:word@proxy:1080");
        assert_eq!(proxy.masked(), "socks5h://…@proxy:1080");
        assert_eq!(format!("{proxy:?}"), "Proxy(socks5h://…@proxy:1080)");
        assert_eq!(parsed("http://[::1]").masked(), "http://[::1]:80");
    }

    fn any_login() -> impl Strategy<Value = Option<(String, Secret)>> {
        proptest::option::of((any_text(), any_text().prop_map(Secret::new)))
    }

    /// Short enough for SOCKS 5 in any alphabet.
    fn any_text() -> impl Strategy<Value = String> {
        proptest::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn an_address_leads_back_to_its_proxy(
            scheme in prop::sample::select(vec![
                ProxyScheme::Http, ProxyScheme::Https, ProxyScheme::Socks5, ProxyScheme::Socks5h,
            ]),
            host in prop::sample::select(vec!["proxy", "10.1.2.3", "::1", "a-b.example"]),
            port in 1_u16..,
            login in any_login(),
        ) {
            let proxy = Proxy { scheme, host: host.to_owned(), port, login };
            prop_assert_eq!(&parsed(proxy.to_url().expose()), &proxy);
        }

        #[test]
        fn a_raw_login_is_taken_as_it_stands(
            user in "[^:%@]{1,20}", password in "[^%]{0,20}",
        ) {
            let read = login(&format!("http://{user}:{password}@proxy:80"));
            prop_assert_eq!(read, (user, password));
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            let _ = text.parse::<Proxy>();
            let _ = format!("http://{text}").parse::<Proxy>();
        }
    }
}

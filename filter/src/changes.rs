//! What rules change in the headers of a request that they allow.

use policy_core::{Change, HeaderChange, RuleRef};

use crate::{
    host::{Edit, Host, Level},
    report::Refusal,
};

/// Besides pseudo-headers: they say where a request goes and where it ends. Who changes them makes another request of
/// it than the one that was judged, or two.
const FIXED: [&[u8]; 5] = [
    b"host",
    b"connection",
    b"upgrade",
    b"content-length",
    b"transfer-encoding",
];

/// Makes these changes, one after the other. If one cannot be made, the request must not pass: the upstream would see
/// what a rule wants to be gone, or miss what it relies on.
pub(crate) fn apply<H: Host>(host: &H, changes: &[HeaderChange], rule: Option<&RuleRef>) -> Result<(), Refusal> {
    for HeaderChange { name, change, .. } in changes {
        let edit = match change {
            Change::Log => {
                report(host, name, rule);
                continue;
            }
            Change::Append(value) => Edit::Append(value.as_bytes()),
            Change::Set(value) => Edit::Set(value.as_bytes()),
            Change::Remove => Edit::Remove,
        };
        let name = name.as_bytes();
        if !may_change(name) || !is_well_formed(edit) {
            return Err(Refusal::UnchangeableHeader);
        }
        host.edit_header(name, edit).map_err(|_| Refusal::UnchangeableHeader)?;
    }
    Ok(())
}

/// Names the header and no value: what is expected may be a secret, and so may be what was sent.
fn report<H: Host>(host: &H, name: &str, rule: Option<&RuleRef>) {
    let rule = rule.map_or("the policy", RuleRef::as_str);
    host.log(
        Level::Info,
        &format!("header {} is not what {rule} expects", name.escape_debug()),
    );
}

/// Whether this is a header name, and of a header that is not [`FIXED`].
fn may_change(name: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(token) && !FIXED.iter().any(|fixed| name.eq_ignore_ascii_case(fixed))
}

/// Whether the value stays in its line: the host writes it as it is.
fn is_well_formed(edit: Edit<'_>) -> bool {
    match edit {
        Edit::Append(value) | Edit::Set(value) => !value.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')),
        Edit::Remove => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeHost, World};
    use crate::headers;
    use std::rc::Rc;

    fn host(pairs: &[(&[u8], &[u8])]) -> FakeHost {
        let world = World::default();
        *world.headers.borrow_mut() = headers::encode(pairs);
        FakeHost(Rc::new(world))
    }

    fn change(name: &str, change: Change) -> HeaderChange {
        HeaderChange {
            name: name.into(),
            change,
            secret: true,
        }
    }

    #[test]
    fn each_change_does_its_own() {
        let sent: [(&[u8], &[u8]); 3] = [(b"X-Role", b"guest"), (b"x-role", b"\xff"), (b"x-other", b"\xfe")];
        for (what, want, why) in [
            (
                Change::Append("admin".into()),
                &["guest", "\u{fffd}", "admin"][..],
                "one more",
            ),
            (Change::Set("admin".into()), &["admin"], "in place of all values"),
            (Change::Set("".into()), &[""], "an empty value is a value"),
            (Change::Remove, &[], "all values go"),
            (Change::Log, &["guest", "\u{fffd}"], "only told"),
        ] {
            let host = host(&sent);
            assert_eq!(apply(&host, &[change("x-role", what)], None), Ok(()), "{why}");
            assert_eq!(host.0.header("x-role"), want, "{why}");
            let other = host.0.header_pairs().into_iter().find(|(name, _)| name == b"x-other");
            assert_eq!(
                other,
                Some((b"x-other".to_vec(), b"\xfe".to_vec())),
                "{why}: untouched, and not text"
            );
        }
    }

    #[test]
    fn a_log_line_has_no_value() {
        let host = host(&[(b"x-token", b"hunter1")]);
        let changes = [
            change("x-token", Change::Log),
            change("x-token", Change::Set("hunter2".into())),
        ];
        assert_eq!(apply(&host, &changes, None), Ok(()));
        let want = "header x-token is not what the policy expects".to_owned();
        assert_eq!(*host.0.logs.borrow(), [(Level::Info, want)]);
    }

    #[test]
    fn what_would_make_another_request_is_refused() {
        for (name, value, why) in [
            (":path", "/admin", "the path was judged"),
            (":authority", "evil.example", "so was the authority"),
            ("host", "evil.example", "the same by another name"),
            ("Content-Length", "0", "where the request ends"),
            ("transfer-encoding", "chunked", "the same"),
            ("connection", "x-user", "would remove headers"),
            ("upgrade", "websocket", "another protocol"),
            ("", "a", "no name"),
            ("x a", "a", "not a name"),
            ("x-a\r\nx-b", "a", "two lines"),
            ("x-a", "1\r\nx-b: 2", "two lines"),
            ("x-a", "1\n", "a secret from a file"),
            ("x-a", "\0", "not a value"),
        ] {
            for what in [Change::Append(value.into()), Change::Set(value.into())] {
                let host = host(&[]);
                let result = apply(&host, &[change(name, what)], None);
                assert_eq!(result, Err(Refusal::UnchangeableHeader), "{name:?}: {why}");
                assert!(host.0.header_pairs().is_empty(), "{name:?}: {why}");
            }
        }
        let (spared, host) = ([change(":path", Change::Log)], host(&[]));
        assert_eq!(apply(&host, &spared, None), Ok(()), "to tell of it is no change");
        host.0.headers_are_fixed.set(true);
        let changes = [change("x-a", Change::Remove)];
        assert_eq!(
            apply(&host, &changes, None),
            Err(Refusal::UnchangeableHeader),
            "the host refuses"
        );
    }
}

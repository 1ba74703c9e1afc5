//! Stages 4, 5 and 5b: hosts outside the cluster that pods call, and clients outside that call pods.

use super::cast::*;
use crate::demo::claim::Because::{self, Article, Follows};
use crate::demo::claim::Expect::{Answer, Closed, CutOff, Forbidden};
use crate::demo::claim::To::{Lie, Name, Pod};
use crate::demo::claim::{Claim, claim, get};

pub(super) const WITH_CILIUM_IO: &[Claim] = &[
    claim(
        TIEFIGHTER,
        get(Name("cilium.io"), 80, "/"),
        Answer("cilium.io"),
        ONLY_CILIUM_IO,
    ),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Forbidden, ONLY_CILIUM_IO),
    claim(
        TIEFIGHTER,
        get(Lie("google.com", "cilium.io"), 80, "/"),
        Answer("cilium.io"),
        Follows("Envoy resolves the name that the policy saw, so whoever lies gets what is allowed and nothing else"),
    ),
    claim(
        TIEFIGHTER,
        get(Lie("cilium.io", "google.com"), 80, "/"),
        Forbidden,
        Follows("the name decides, not the address that the caller chose"),
    ),
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 80, "/v1"),
        Answer(DEATHSTAR),
        UNRESTRICTED,
    ),
    claim(
        TIEFIGHTER,
        get(Name(DASHBOARD_NAME), 80, "/version"),
        Closed,
        STILL_NO_DASHBOARD,
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Closed,
        Follows("the article's fourth policy has the name of the third and replaces it, without its Prometheus spec"),
    ),
    claim(
        PROMETHEUS,
        get(Pod(DEATHSTAR), 8080, "/metrics").kept(),
        CutOff,
        Follows("a connection from before the policy gives no right that the policy denies"),
    ),
    claim(
        CLIENT,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Closed,
        Article("all ingress and egress traffic are denied by default unless the policy specification allows"),
    ),
    claim(INTRUDER, get(Pod(DEATHSTAR), 80, "/v1"), Closed, LOCKED_OUT),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

pub(super) const WITH_ONE_CLIENT: &[Claim] = &[
    claim(CLIENT, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), ONE_ADDRESS),
    claim(OTHER_CLIENT, get(Pod(DEATHSTAR), 80, "/v1"), Closed, ONE_ADDRESS),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Answer(DEATHSTAR),
        ALL_OF_IT,
    ),
    claim(PROMETHEUS, get(Name(DEATHSTAR_NAME), 8080, "/v1"), Forbidden, ALL_OF_IT),
    claim(
        TIEFIGHTER,
        get(Name("cilium.io"), 80, "/"),
        Answer("cilium.io"),
        ALL_OF_IT,
    ),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Forbidden, ALL_OF_IT),
    claim(INTRUDER, get(Pod(DEATHSTAR), 80, "/v1"), Closed, LOCKED_OUT),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

pub(super) const WITH_THE_WORLD: &[Claim] = &[
    claim(CLIENT, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), ANY_ADDRESS),
    claim(
        OTHER_CLIENT,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Answer(DEATHSTAR),
        ANY_ADDRESS,
    ),
    claim(
        CLIENT,
        get(Pod(DASHBOARD), 9090, "/version"),
        Answer(DASHBOARD),
        NOT_SELECTED,
    ),
    claim(INTRUDER, get(Pod(DEATHSTAR), 80, "/v1"), Closed, LOCKED_OUT),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Forbidden, ALL_OF_IT),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

const ONLY_CILIUM_IO: Because = Article(
    "The policy below allows all pods in empire namespace to access the external service specified by DNS, cilium.io.",
);
const ONE_ADDRESS: Because = Follows("`fromCIDR` names one address, and the policy denies what it does not list");
const ANY_ADDRESS: Because = Follows("the entity `world` is everybody outside the cluster");
const NOT_SELECTED: Because = Follows("no policy selects pods of kube-system");
const ALL_OF_IT: Because = Follows("the specs of one policy add up");

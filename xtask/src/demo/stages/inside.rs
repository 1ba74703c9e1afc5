//! Stages 0 to 3: the cluster alone.

use super::cast::*;
use crate::demo::claim::Because::{self, Article, Follows};
use crate::demo::claim::Expect::{Answer, Closed, CutOff, Forbidden, NoName};
use crate::demo::claim::To::{Name, Pod};
use crate::demo::claim::{Claim, claim, get};

pub(super) const NO_POLICY: &[Claim] = {
    const WHY: Because =
        Article("When a policy is enabled for a pod, all ingress and egress traffic are denied by default");
    &[
        claim(TIEFIGHTER, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), WHY),
        claim(
            TIEFIGHTER,
            get(Pod(DEATHSTAR), 80, "/v1").kept(),
            Answer(DEATHSTAR),
            WHY,
        ),
        claim(KUBE_DNS, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), WHY),
        claim(KUBE_DNS, get(Pod(DEATHSTAR), 80, "/v1").kept(), Answer(DEATHSTAR), WHY),
        claim(TIEFIGHTER, get(Name(DEATHSTAR_NAME), 80, "/v1"), Answer(DEATHSTAR), WHY),
        claim(
            TIEFIGHTER,
            get(Name(DASHBOARD_NAME), 80, "/version"),
            Answer(DASHBOARD),
            WHY,
        ),
        claim(
            PROMETHEUS,
            get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
            Answer(DEATHSTAR),
            WHY,
        ),
        claim(PROMETHEUS, get(Name(DEATHSTAR_NAME), 80, "/v1"), Answer(DEATHSTAR), WHY),
        claim(TIEFIGHTER, get(Name("cilium.io"), 80, "/"), Answer("cilium.io"), WHY),
        claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Answer("google.com"), WHY),
        claim(INTRUDER, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), WHY),
        claim(CLIENT, get(Pod(DEATHSTAR), 80, "/v1"), Answer(DEATHSTAR), WHY),
    ]
};

pub(super) const WITHIN_NAMESPACE: &[Claim] = &[
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Answer(DEATHSTAR),
        Article("The direct call from tiefighter pod to deathstar pod works as expected"),
    ),
    claim(
        KUBE_DNS,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Closed,
        Article("The ingress call from kube-dns to deathstar is blocked."),
    ),
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 80, "/v1"),
        NoName,
        Article("And the call to deathstar service using the DNS name doesn't work."),
    ),
    claim(
        XWING,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Answer(DEATHSTAR),
        Article("The endpointSelector:matchLabels={} will select all pods in the namespace empire."),
    ),
    claim(
        TIEFIGHTER,
        get(Pod(DASHBOARD), 9090, "/version"),
        Closed,
        Article("inter-namespace communication will be denied by default"),
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Closed,
        Article("the ingress rule allows incoming traffic from pods in namespace=empire"),
    ),
    claim(
        INTRUDER,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Closed,
        Article("inter-namespace communication will be denied by default"),
    ),
    claim(TIEFIGHTER, get(Name("cilium.io"), 80, "/"), NoName, OUTSIDE_LATER),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), NoName, OUTSIDE_LATER),
    claim(
        KUBE_DNS,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        CutOff,
        Follows("a connection from before the policy gives no right that the policy denies"),
    ),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

pub(super) const WITH_DNS: &[Claim] = &[
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 80, "/v1"),
        Answer(DEATHSTAR),
        Article(
            "The policy allows egress to destination pods belonging to kube-system namespace and having k8s-app=kube-dns.",
        ),
    ),
    claim(
        TIEFIGHTER,
        get(Name(DASHBOARD_NAME), 80, "/version"),
        Closed,
        Article("However, access to any other service running in kube-system namespace is not allowed."),
    ),
    claim(
        KUBE_DNS,
        get(Pod(DEATHSTAR), 80, "/v1"),
        Closed,
        Follows("kube-dns may be called, it may not call"),
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Closed,
        PROMETHEUS_ELSEWHERE,
    ),
    claim(TIEFIGHTER, get(Name("cilium.io"), 80, "/"), Forbidden, OUTSIDE_LATER),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Forbidden, OUTSIDE_LATER),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

pub(super) const WITH_PROMETHEUS: &[Claim] = &[
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Answer(DEATHSTAR),
        Article("This will be allowed"),
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 80, "/v1"),
        Closed,
        Article("This will be denied"),
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/v1"),
        Forbidden,
        ONLY_METRICS,
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics/x"),
        Forbidden,
        ONLY_METRICS,
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics?debug=1"),
        Forbidden,
        ONLY_METRICS,
    ),
    claim(
        PROMETHEUS,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics").method("POST"),
        Forbidden,
        ONLY_METRICS,
    ),
    claim(
        GRAFANA,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics"),
        Closed,
        Article("allow traffic from app=prometheus and namespace=monitoring"),
    ),
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 8080, "/anything"),
        Answer(DEATHSTAR),
        UNRESTRICTED,
    ),
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 8080, "/metrics").method("DELETE"),
        Answer(DEATHSTAR),
        UNRESTRICTED,
    ),
    claim(
        TIEFIGHTER,
        get(Name(DASHBOARD_NAME), 80, "/version"),
        Closed,
        STILL_NO_DASHBOARD,
    ),
    claim(TIEFIGHTER, get(Name("cilium.io"), 80, "/"), Forbidden, OUTSIDE_LATER),
    claim(TIEFIGHTER, get(Name("google.com"), 80, "/"), Forbidden, OUTSIDE_LATER),
    claim(
        PROMETHEUS,
        get(Pod(DEATHSTAR), 8080, "/metrics").kept(),
        Answer(DEATHSTAR),
        ONLY_METRICS,
    ),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        NOT_DISTURBED,
    ),
];

/// What still holds after a broken policy: a part of that stage, on both sides of the line.
pub(in crate::demo) const STILL_IN_FORCE: &[Claim] = &[
    claim(
        TIEFIGHTER,
        get(Name(DEATHSTAR_NAME), 80, "/v1"),
        Answer(DEATHSTAR),
        LAST_GOOD,
    ),
    claim(TIEFIGHTER, get(Name(DASHBOARD_NAME), 80, "/version"), Closed, LAST_GOOD),
    claim(KUBE_DNS, get(Pod(DEATHSTAR), 80, "/v1"), Closed, LAST_GOOD),
    claim(
        TIEFIGHTER,
        get(Pod(DEATHSTAR), 80, "/v1").kept(),
        Answer(DEATHSTAR),
        LAST_GOOD,
    ),
];

const OUTSIDE_LATER: Because =
    Article("These communications can be allowed by either whitelisting the destination CIDRs or by using DNS.");
const PROMETHEUS_ELSEWHERE: Because = Follows("no policy mentions the namespace monitoring yet");
const ONLY_METRICS: Because = Article("The http rules section further restricts access to GET /metrics");
const LAST_GOOD: Because = Follows("a policy that cannot be read changes nothing, the last good one stays");

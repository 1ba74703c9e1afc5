//! Who calls whom, and the reasons that stages share.

use crate::demo::claim::Because::{self, Article, Follows};

pub(super) const TIEFIGHTER: &str = "empire/tiefighter";
pub(super) const XWING: &str = "empire/xwing";
pub(super) const KUBE_DNS: &str = "kube-system/kube-dns";
pub(super) const PROMETHEUS: &str = "monitoring/prometheus-core";
pub(super) const GRAFANA: &str = "monitoring/grafana";
pub(super) const INTRUDER: &str = "default/intruder";
/// The client outside that stage 5 lets in.
pub(super) const CLIENT: &str = "127.30.0.7";
/// Another one.
pub(super) const OTHER_CLIENT: &str = "127.30.0.8";

pub(super) const DEATHSTAR: &str = "empire/deathstar";
pub(super) const DASHBOARD: &str = "kube-system/kubernetes-dashboard";
pub(super) const DEATHSTAR_NAME: &str = "deathstar.empire.svc.cluster.local";
pub(super) const DASHBOARD_NAME: &str = "kubernetes-dashboard.kube-system.svc.cluster.local";

pub(super) const NOT_DISTURBED: Because =
    Follows("what stays allowed is not disturbed by a new policy, not even its connection");
pub(super) const UNRESTRICTED: Because =
    Article("The policy specification below allows all traffic within the empire namespace.");
pub(super) const STILL_NO_DASHBOARD: Because =
    Article("access to any other service running in kube-system namespace is not allowed");
pub(super) const LOCKED_OUT: Because = Article("inter-namespace communication will be denied by default");

//! Bytes choose a policy set and questions about it: engine and oracle give the same answers.
//!
//! Oracle and generators are those of the engine's own tests, which ask the same questions in every run.

#![no_main]

#[path = "../../policy-core/tests/oracle"]
#[allow(dead_code, unused_imports, reason = "some is for the tests alone; `expect` does not look into modules")]
mod oracle {
    pub(crate) mod evaluator;
    pub(crate) mod generate;
}

use libfuzzer_sys::fuzz_target;
use oracle::{
    evaluator::{self, Answer, Message, PeerFact, Question},
    generate,
};
use policy_core::{Bundle, Carried, Engine, Flow, KafkaRequest, Peer, Verdict};
use proptest::{
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// How many bytes choose a policy set.
const SET: usize = 32;
/// How many bytes choose a question. A change to them leaves the set and the other questions as they are.
const QUESTION: usize = 4;
/// How many questions there are at most.
const QUESTIONS: usize = 32;

fuzz_target!(|bytes: &[u8]| {
    let (set, questions) = bytes.split_at(bytes.len().min(SET));
    let Some(bundle) = chosen(&generate::bundle(), set) else { return };
    let engine = Engine::new(bundle.clone()).expect("a good bundle");
    let question = generate::question();
    let questions = questions.chunks(QUESTION).take(QUESTIONS);
    for question in questions.filter_map(|bytes| chosen(&question, bytes)) {
        let verdict = ask(&engine, &question);
        let answer = evaluator::evaluate(&bundle, &question);
        assert_eq!(summary(&verdict), answer, "{}\n{question:?}\n{verdict:?}", json(&bundle));
    }
});

/// The value that the bytes, at most 32, are the seed of. `None` if the strategy gives up.
fn chosen<S: Strategy>(strategy: &S, bytes: &[u8]) -> Option<S::Value> {
    let mut seed = [0; 32];
    seed.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
}

fn json(bundle: &Bundle) -> String {
    String::from_utf8_lossy(&bundle.to_json()).into_owned()
}

fn ask(engine: &Engine, question: &Question) -> Verdict {
    let flow = Flow {
        direction: question.direction,
        subject: engine.endpoint(question.subject).expect("a known subject"),
        peer: match question.peer {
            PeerFact::Address(address) => Peer::Identity(engine.identity_of(address)),
            PeerFact::Name(name) => Peer::Name(name.as_bytes()),
            PeerFact::Unknown => Peer::Unknown,
        },
        protocol: question.protocol,
        port: question.port,
        authenticated: question.authenticated,
    };
    let sni = question.sni.map(|sni| sni.map(str::as_bytes));
    let ask = |carried: Option<Carried<'_>>| {
        let verdict = engine.connection(&flow).judge(sni, carried);
        assert_eq!(engine.explain(&flow, sni, carried).verdict, verdict, "explained otherwise");
        verdict
    };
    match &question.message {
        None => ask(None),
        Some(Message::Http(request)) => ask(Some(Carried::Http(request))),
        Some(Message::Dns(name)) => ask(Some(Carried::Dns(name.as_bytes()))),
        Some(Message::Kafka(fact)) => ask(Some(Carried::Kafka(&KafkaRequest {
            api_key: fact.api_key,
            api_version: fact.api_version,
            client_id: fact.client_id.as_bytes(),
            topics: fact.topics.iter().map(|topic| topic.as_bytes()).collect(),
        }))),
    }
}

fn summary(verdict: &Verdict) -> Answer {
    Answer {
        decision: verdict.decision,
        proxied: verdict.proxied,
        authentication: verdict.authentication,
    }
}

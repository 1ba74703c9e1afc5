//! The program as people and other programs use it: arguments in, text and exit status out.

mod compile;
mod conformance;
mod empire;
mod eval;
mod examples;
mod run;
mod trace;
mod units;
mod usage;
mod validate;

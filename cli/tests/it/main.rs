//! The program as people and other programs use it: arguments in, text and exit status out.

mod compile;
mod conformance;
mod empire;
mod eval;
mod run;
mod trace;
mod usage;
mod validate;

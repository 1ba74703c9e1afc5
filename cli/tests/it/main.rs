//! The program as people and other programs use it: arguments in, text and exit status out.

mod audit;
mod compile;
mod conformance;
mod diff;
mod doctor;
mod empire;
mod eval;
mod examples;
mod guide;
mod matrix;
mod matrix_page;
mod pack;
mod replay;
mod run;
mod suite;
mod trace;
mod units;
mod usage;
mod validate;

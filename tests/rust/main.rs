//! The core as its callers see it: one test binary, through the public API alone, without Python.
//!
//! - [`architecture`]: the rules of the tree hold; [`module_graph`] reads the imports.
//! - [`algebra`]: a table is a function of the set of records, however they are divided.
//! - [`pipeline`]: so is the whole lake, byte for byte; a run changes all of it or nothing.
//! - [`failures`]: what cannot be done is said with the right kind of error, and the tables are as they were.
//! - [`accounting`]: every record and every file is accounted for, and what cannot be right as a whole is refused.
//! - [`recovery`]: what was committed is published, wherever its run was stopped.
//! - [`sharded`]: so is the lake of a run whose work an executor does.
//! - [`remote_input`]: what lies in a bucket gives the same lake, for as many requests as were promised.
//! - [`doctor`]: good places are told from bad ones, and left as they were.
//! - [`store`]: a store that fails is borne, or told apart from one that cannot help it.
//!
//! [`scene`] sets up an input and a lake, [`object_server`] is a bucket in memory, [`shop`] a server that answers as it
//! is told.

#![expect(clippy::disallowed_methods, reason = "tests remove what they made")]

#[cfg(test)]
mod accounting;
#[cfg(test)]
mod algebra;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod module_graph;
#[cfg(test)]
mod object_server;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod remote_input;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod sharded;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod store;

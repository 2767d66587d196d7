//! Tests of the core through its public API, without Python, in one test binary.
//!
//! - [`architecture`]: the rules of the source tree; [`module_graph`] reads the imports.
//! - [`merge_order`]: a table depends only on the set of records, not on how they are divided or merged.
//! - [`pipeline`]: the same holds for the entire lake, byte for byte; a run changes all of it or nothing.
//! - [`failures`]: a failed run returns the right kind of error and changes no table.
//! - [`accounting`]: every record and every file is accounted for; an implausible input is refused as a whole.
//! - [`recovery`]: a committed version is published, no matter where its run was stopped.
//! - [`distributed`]: a run on an executor writes the same lake.
//! - [`s3_input`]: an input in a bucket gives the same lake, with the promised number of requests.
//! - [`doctor`]: a good location passes all checks, problems are detected, and no file is left.
//! - [`fence`]: a writer that was overtaken sends no further request.
//! - [`s3_client`]: the client retries temporary failures of a store, and reports permanent ones.
//!
//! [`test_folder`] creates an input and runs the job. [`object_server`] is an S3 server in memory, [`scripted_server`]
//! an HTTP server whose responses are defined by the test.

#![expect(clippy::disallowed_methods, reason = "tests remove the files that they created")]

#[cfg(test)]
mod accounting;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod distributed;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod fence;
#[cfg(test)]
mod merge_order;
#[cfg(test)]
mod module_graph;
#[cfg(test)]
mod object_server;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod s3_client;
#[cfg(test)]
mod s3_input;
#[cfg(test)]
mod scripted_server;
#[cfg(test)]
mod test_folder;

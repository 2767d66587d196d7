"""Tests of the job on S3: real servers, a proxy that counts and breaks requests, and what must come of it."""

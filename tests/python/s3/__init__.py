"""The job on S3: real servers, and a proxy that counts requests and injects faults."""

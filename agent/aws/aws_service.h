/*
 * The services of AWS that rollcall talks to, and how each is spoken to.  Constants
 * only.  From botocore's service models (facts/ecs.md, section 2).
 */
#ifndef AWS_AWS_SERVICE_H
#define AWS_AWS_SERVICE_H

enum aws_service_protocol {
	AWS_SERVICE_JSON, /* body: the document of the action, which X-Amz-Target names; errors in JSON */
	AWS_SERVICE_QUERY /* body: aws_query.h, which names the action; answers and errors in XML (aws_xml.h) */
};

struct aws_service {
	const char *name; /* "ecs": for the signature, the endpoint and the log */
	enum aws_service_protocol protocol;
	const char *content_type;
	const char *target_prefix; /* "AmazonEC2ContainerServiceV20141113."; null: no X-Amz-Target */
	const char *version;       /* of the API, for AWS_SERVICE_QUERY */
	const char *endpoint_env;  /* "AWS_ENDPOINT_URL_ECS" */
};

extern const struct aws_service aws_service_ecs;
extern const struct aws_service aws_service_ec2;
extern const struct aws_service aws_service_ssm;
extern const struct aws_service aws_service_sqs;
extern const struct aws_service aws_service_sns;
extern const struct aws_service aws_service_sts;

#endif

/* The services of AWS that rollcall talks to: see aws_service.h. */
#include "config.h"

#include "aws/aws_service.h"

#include <stddef.h>

#define JSON_1_0 "application/x-amz-json-1.0"
#define JSON_1_1 "application/x-amz-json-1.1"
#define FORM     "application/x-www-form-urlencoded; charset=utf-8"

const struct aws_service aws_service_ecs = {
	.name = "ecs",
	.protocol = AWS_SERVICE_JSON,
	.content_type = JSON_1_1,
	.target_prefix = "AmazonEC2ContainerServiceV20141113.",
	.endpoint_env = "AWS_ENDPOINT_URL_ECS",
};

const struct aws_service aws_service_ec2 = {
	.name = "ec2",
	.protocol = AWS_SERVICE_QUERY,
	.content_type = FORM,
	.version = "2016-11-15",
	.endpoint_env = "AWS_ENDPOINT_URL_EC2",
};

const struct aws_service aws_service_ssm = {
	.name = "ssm",
	.protocol = AWS_SERVICE_JSON,
	.content_type = JSON_1_1,
	.target_prefix = "AmazonSSM.",
	.endpoint_env = "AWS_ENDPOINT_URL_SSM",
};

const struct aws_service aws_service_sqs = {
	.name = "sqs",
	.protocol = AWS_SERVICE_JSON,
	.content_type = JSON_1_0,
	.target_prefix = "AmazonSQS.",
	.endpoint_env = "AWS_ENDPOINT_URL_SQS",
};

const struct aws_service aws_service_sns = {
	.name = "sns",
	.protocol = AWS_SERVICE_QUERY,
	.content_type = FORM,
	.version = "2010-03-31",
	.endpoint_env = "AWS_ENDPOINT_URL_SNS",
};

const struct aws_service aws_service_sts = {
	.name = "sts",
	.protocol = AWS_SERVICE_QUERY,
	.content_type = FORM,
	.version = "2011-06-15",
	.endpoint_env = "AWS_ENDPOINT_URL_STS",
};

"""A collector of OpenTelemetry spans on loopback: prints its address, then a line of JSON for each span that arrives."""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


def plain(value):
    return getattr(value, value.WhichOneof("value"))


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_spans:
            of = {attribute.key: plain(attribute.value) for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {attribute.key: plain(attribute.value) for attribute in span.attributes}
                    line = {
                        "service": of["service.name"],
                        "name": span.name,
                        "trace": span.trace_id.hex(),
                        "nanoseconds": span.end_time_unix_nano - span.start_time_unix_nano,
                        "attributes": attributes,
                    }
                    print(json.dumps(line), flush=True)
        return trace_service_pb2.ExportTraceServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"http://127.0.0.1:{port}", flush=True)
sys.stdin.read()
server.stop(grace=2).wait()

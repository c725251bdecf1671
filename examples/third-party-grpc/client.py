"""The object store from Python with grpcio and the .proto files: nothing of Ashlar's own is imported."""
import hashlib
import os
import sys
import urllib.parse

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path += [os.path.join(root, "proto"), os.path.join(root, "proto-vendor")]  # where grpcio looks for .proto files

import grpc  # noqa: E402
from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: E402
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # noqa: E402

messages, services = grpc.protos_and_services("ashlar/v1/object_service.proto")

FRAME_BYTES = 64 * 1024
BUCKET = "from-python"
KEY = "a/random.bin"
server = urllib.parse.urlparse(os.environ.get("ASHLAR_GATEWAY", "http://127.0.0.1:9000")).netloc
metadata = [("authorization", "Bearer " + os.environ.get("ASHLAR_API_KEY", ""))]


def put_requests(header, data):
    """PutObject is a client stream: one header, then the bytes in frames."""
    yield messages.PutObjectRequest(header=header)
    for at in range(0, len(data), FRAME_BYTES):
        yield messages.PutObjectRequest(frame=data[at : at + FRAME_BYTES])


def get(request):
    """GetObject is a server stream: first what the object is, then its bytes in frames."""
    first, *rest = objects.GetObject(request, metadata=metadata)
    return first.opened.info, b"".join(message.frame for message in rest)


channel = grpc.insecure_channel(server)
objects = services.ObjectServiceStub(channel)


def main():
    status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status
    print("health:", health_pb2.HealthCheckResponse.ServingStatus.Name(status))

    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(reflection.ServerReflectionInfo(iter([question])))
    names = [service.name for service in answer.list_services_response.service]
    print("services:", ", ".join(name for name in names if name.startswith("ashlar")))

    objects.CreateBucket(messages.CreateBucketRequest(bucket=BUCKET), metadata=metadata)
    data = os.urandom(3_000_000)
    header = messages.PutObjectHeader(bucket=BUCKET, key=KEY)
    header.attributes.content_type = "application/x-random"
    put = objects.PutObject(put_requests(header, data), metadata=metadata).outcome
    print("put:", put.info.key, put.info.size_bytes, "bytes")
    print("digest agrees:", put.info.sha256 == hashlib.sha256(data).hexdigest())

    info, whole = get(messages.GetObjectRequest(bucket=BUCKET, key=KEY))
    print("get:", info.attributes.content_type, "same bytes:", whole == data)
    _, part = get(messages.GetObjectRequest(bucket=BUCKET, key=KEY, offset=1000, length=500))
    print("range:", len(part), "bytes, right ones:", part == data[1000:1500])

    listed = objects.ListObjects(messages.ListObjectsRequest(bucket=BUCKET, delimiter="/"), metadata=metadata)
    print("list:", list(listed.prefixes))
    try:
        objects.HeadObject(messages.HeadObjectRequest(bucket=BUCKET, key="none"), metadata=metadata)
    except grpc.RpcError as error:
        print("missing:", error.code().name, error.details())

    objects.DeleteObject(messages.DeleteObjectRequest(bucket=BUCKET, key=KEY), metadata=metadata)
    objects.DeleteBucket(messages.DeleteBucketRequest(bucket=BUCKET), metadata=metadata)


try:
    main()
except grpc.RpcError as error:
    hint = "ASHLAR_GATEWAY and ASHLAR_API_KEY name the server: does it run, and is the key one of its keys?"
    sys.exit(f"{error.code().name} {error.details()}\n{hint}")
finally:
    channel.close()

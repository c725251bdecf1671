"""Puts and gets a chunk and an object with Python's grpcio, with code that grpcio-tools made from the .proto files.

Arguments: <generated folder> <node> <gateway> <write grant> <API key>; a read grant for the chunk comes on standard input
after the chunk's id was printed. Prints one JSON object with what it saw.
"""
import hashlib
import json
import sys

generated, node, gateway, write_grant, api_key = sys.argv[1:]
sys.path.insert(0, generated)

import grpc  # noqa: E402
from ashlar.v1 import chunk_service_pb2 as chunks  # noqa: E402
from ashlar.v1 import chunk_service_pb2_grpc as chunk_service  # noqa: E402
from ashlar.v1 import object_service_pb2 as objects  # noqa: E402
from ashlar.v1 import object_service_pb2_grpc as object_service  # noqa: E402

FRAME = 65536
data = bytes(range(256)) * 4000
digest = hashlib.sha256(data).digest()
seen = {}


def bearer(token):
    return [("authorization", "Bearer " + token)]


def framed(kind, header):
    yield kind(header=header)
    for at in range(0, len(data), FRAME):
        yield kind(frame=data[at : at + FRAME])


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


with grpc.insecure_channel(node) as channel:
    stub = chunk_service.ChunkServiceStub(channel)
    header = chunks.PutChunkHeader(chunk_id=digest, size_bytes=len(data))
    put = stub.PutChunk(framed(chunks.PutChunkRequest, header), metadata=bearer(write_grant))
    seen["putBytes"] = put.size_bytes
    seen["hasReceipt"] = put.receipt != ""
    print(digest.hex(), flush=True)
    read_grant = sys.stdin.readline().strip()
    request = chunks.GetChunkRequest(chunk_id=digest)
    answer = stub.GetChunk(request, metadata=bearer(read_grant))
    seen["sameChunk"] = b"".join(message.frame for message in answer) == data
    wrong = chunks.PutChunkHeader(chunk_id=bytes(32), size_bytes=len(data))
    mismatch = framed(chunks.PutChunkRequest, wrong)
    seen["mismatch"] = code_of(lambda: stub.PutChunk(mismatch, metadata=bearer(write_grant)))
    seen["anonymous"] = code_of(lambda: list(stub.GetChunk(request)))
    seen["health"] = chunks.HealthCheckResponse.Status.Name(stub.HealthCheck(chunks.HealthCheckRequest()).status)

with grpc.insecure_channel(gateway) as channel:
    stub = object_service.ObjectServiceStub(channel)
    stub.CreateBucket(objects.CreateBucketRequest(bucket="from-python"), metadata=bearer(api_key))
    header = objects.PutObjectHeader(bucket="from-python", key="schlüssel/ключ")
    put = stub.PutObject(framed(objects.PutObjectRequest, header), metadata=bearer(api_key))
    seen["sha256Right"] = put.outcome.info.sha256 == digest.hex()
    request = objects.GetObjectRequest(bucket="from-python", key="schlüssel/ключ", offset=1000)
    first, *rest = list(stub.GetObject(request, metadata=bearer(api_key)))
    seen["rangeOffset"] = first.opened.offset
    seen["sameRange"] = b"".join(message.frame for message in rest) == data[1000:]
    missing = objects.HeadObjectRequest(bucket="from-python", key="none")
    seen["missing"] = code_of(lambda: stub.HeadObject(missing, metadata=bearer(api_key)))

print(json.dumps(seen))

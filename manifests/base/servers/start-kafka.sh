#!/bin/sh
# Formats the volume at the first start, then becomes the broker. The node's number is the pod's.
set -eu
node=${HOSTNAME##*-}
properties=/tmp/server.properties
{
    cat /etc/kafka-node/server.properties
    echo "node.id=$node"
    echo "listeners=PLAINTEXT://:9092,CONTROLLER://:9093"
    echo "advertised.listeners=PLAINTEXT://$HOSTNAME.kafka-nodes.eartheye.svc:9092"
} > "$properties"
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$properties"
exec /opt/kafka/bin/kafka-server-start.sh "$properties"

#!/bin/sh
# Formats the volume at the first start, with the users that may speak to it, then becomes the broker. The node's number is the pod's.
set -eu
umask 077
node=${HOSTNAME##*-}
properties=/tmp/server.properties
module=org.apache.kafka.common.security
{
    cat /etc/kafka-node/server.properties
    echo "node.id=$node"
    echo "listeners=CLIENTS://:9092,CONTROLLER://:9093"
    echo "advertised.listeners=CLIENTS://$HOSTNAME.kafka-nodes.$NAMESPACE.svc:9092"
    printf 'listener.name.clients.scram-sha-512.sasl.jaas.config=%s.scram.ScramLoginModule required username="brokers" password="%s";\n' \
        "$module" "$BROKERS_PASSWORD"
    printf 'listener.name.controller.plain.sasl.jaas.config=%s.plain.PlainLoginModule required username="brokers" password="%s" user_brokers="%s";\n' \
        "$module" "$BROKERS_PASSWORD" "$BROKERS_PASSWORD"
} > "$properties"
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$properties" \
    --add-scram "SCRAM-SHA-512=[name=eartheye,password=$CLIENTS_PASSWORD]" \
    --add-scram "SCRAM-SHA-512=[name=brokers,password=$BROKERS_PASSWORD]"
exec /opt/kafka/bin/kafka-server-start.sh "$properties"

#!/bin/sh
# For each service a database and two roles, when PostgreSQL starts on an empty volume. The owner runs the
# migrations; the app role may connect and has what a migration grants it. Neither reaches another database.
set -eu
for service in customers interactions imports campaigns; do
	psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
		--set=service="$service" --set=owner="${service}_owner" --set=app="${service}_app" <<'SQL'
\getenv app_password RAPPORT_DATABASE_PASSWORD
\getenv owner_password RAPPORT_DATABASE_OWNER_PASSWORD
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN PASSWORD :'app_password';
CREATE DATABASE :"service" OWNER :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"app";
SQL
done
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
	--command 'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC'

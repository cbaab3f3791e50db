"""The hospital's addresses, all below its base."""

from __future__ import annotations

from django.urls import path

from smartapp.demo_ehr import authorize, bulk, chart, fhir, oauth, recovery, stow

app_name = "demo_ehr"

urlpatterns = [
    path("", chart.patient_list, name="patients"),
    path("chart/<str:patient_id>", chart.chart, name="chart"),
    path("chart/<str:patient_id>/hook", chart.hook, name="hook"),
    path("chart/<str:patient_id>/prescribe", chart.prescribe, name="prescribe"),
    path("chart/<str:patient_id>/sign", chart.sign, name="sign"),
    path("chart/<str:patient_id>/results", chart.results, name="results"),
    path("chart/<str:patient_id>/arrive", chart.arrive, name="arrive"),
    path("chart/<str:patient_id>/arrive/<str:result>", chart.news, name="news"),
    path("chart/<str:patient_id>/launch", chart.launch, name="launch"),
    path("chart/<str:patient_id>/cards/<str:key>/accept", chart.accept, name="accept"),
    path("chart/<str:patient_id>/cards/<str:key>/override", chart.override, name="override"),
    path("oauth/authorize", authorize.authorize, name="authorize"),
    path("oauth/authorize/choice", authorize.choose, name="choose"),
    path("oauth/token", oauth.token, name="token"),
    path("oauth/revoke", oauth.revoke, name="revoke"),
    path("oauth/jwks", oauth.jwks, name="jwks"),
    path(".well-known/openid-configuration", oauth.openid_configuration),
    path("fhir/.well-known/smart-configuration", oauth.smart_configuration),
    path("fhir/metadata", fhir.metadata),
    path("fhir", fhir.base),
    path("fhir/", fhir.base),
    path("fhir/$export", bulk.of_system),
    path("fhir/Patient/$export", bulk.of_patients),
    path("fhir/Group/<str:group>/$export", bulk.of_group),
    path("fhir/bulkstatus/<str:job_id>", bulk.status),
    path("bulk/<str:job_id>/<str:name>", bulk.file),
    path("fhir/Subscription/<str:subscription_id>/$status", recovery.status),
    path("fhir/Subscription/<str:subscription_id>/$events", recovery.events),
    path("fhir/<str:kind>", fhir.of_type),
    path("fhir/<str:kind>/_search", fhir.search_by_post),
    path("fhir/<str:kind>/<str:resource_id>", fhir.of_instance),
    path("fhir/<str:kind>/<str:resource_id>/_history/<str:version>", fhir.of_version),
    path("dicomweb/studies", stow.studies, name="studies"),
    path("dicomweb/instances", stow.instances, name="instances"),
    path("dicomweb/studies/<str:study>/series/<str:series>/instances/<str:uid>", stow.instance, name="instance"),
]
